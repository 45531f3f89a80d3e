package cursor

// DefaultPageSize is how many items a page has when its caller does not say.
const DefaultPageSize = 20

// PageSize is how many items a page has: as many as were asked for, [DefaultPageSize] for 0.
func PageSize(asked int32) int32 {
	if asked == 0 {
		return DefaultPageSize
	}
	return asked
}

// Resume reads the position that a list goes on from. Without a token position stays as it is: the beginning. Fault: Invalid (pageToken).
func (c *Codec) Resume(scope, token string, position any) error {
	if token == "" {
		return nil
	}
	return c.Decode(scope, token, position)
}

// Cut makes a page of the rows of a query that asked for one more than the page holds, which shows whether another page follows: then the token of that
// one is made of the last row's position.
func Cut[Row any](c *Codec, scope string, rows []Row, size int32, position func(last Row) any) (page []Row, next string, err error) {
	if len(rows) <= int(size) {
		return rows, "", nil
	}
	page = rows[:size]
	next, err = c.Encode(scope, position(page[size-1]))
	return page, next, err
}
