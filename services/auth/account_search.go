package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mindspace-app/mindspace/gen/db/authdb"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
	"github.com/mindspace-app/mindspace/platform/audit"
	"github.com/mindspace-app/mindspace/platform/cursor"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
	"github.com/mindspace-app/mindspace/platform/postgres"
)

// searchPlace is where a page of found accounts ends, and what they were found by.
type searchPlace struct {
	ID      uuid.UUID `json:"i"`
	ByEmail bool      `json:"e,omitempty"`
}

// SearchAccounts finds accounts by id, by the beginning of the address, or by beginnings of words of the name, the newest first.
// Faults: Invalid (query, pageToken).
func (m *AccountAdmin) SearchAccounts(ctx context.Context, req *authv1.SearchAccountsRequest) (*authv1.SearchAccountsResponse, error) {
	query := strings.TrimSpace(req.GetQuery())
	if query == "" || strings.ContainsFunc(query, unicode.IsControl) {
		return nil, fault.Invalid("query: give an id, the beginning of an address, or of a name").
			WithField("query", "must be an id, the beginning of an e-mail address, or beginnings of words of a name")
	}
	scope, size := "SearchAccounts|"+query, cursor.PageSize(req.GetPageSize())
	place := searchPlace{ID: uuid.Max, ByEmail: strings.Contains(query, "@")}
	if err := m.Cursors.Resume(scope, req.GetPageToken(), &place); err != nil {
		return nil, err
	}
	ids, err := m.find(ctx, query, &place, size+1)
	if err != nil {
		return nil, err
	}
	res := &authv1.SearchAccountsResponse{}
	ids, res.NextPageToken, err = cursor.Cut(m.Cursors, scope, ids, size, func(last uuid.UUID) any {
		place.ID = last
		return place
	})
	if err != nil {
		return nil, err
	}
	rows, err := authdb.New(m.Pool).ListAccountDetails(ctx, authdb.ListAccountDetailsParams{Ids: ids, Now: m.now()})
	if err != nil {
		return nil, fmt.Errorf("list account details: %w", err)
	}
	for _, row := range rows {
		res.Accounts = append(res.Accounts, detailsMessage(row))
	}
	return res, m.recordSearch(ctx, len(rows))
}

// recordSearch keeps who searched and how many were found. Not what for: an address or a name stays out of what is never erased.
func (m *AccountAdmin) recordSearch(ctx context.Context, found int) error {
	return postgres.InTx(ctx, m.Pool, func(tx pgx.Tx) error {
		return m.audit.Record(ctx, tx, audit.Entry{
			Action: "auth.account.searched", SubjectType: "search", SubjectID: identity.CallerFrom(ctx).UserID.String(), After: map[string]int{"found": found},
		})
	})
}

// find gives the accounts after a place. Where no name begins so, the beginning of an address is meant, on the pages to come too.
func (m *AccountAdmin) find(ctx context.Context, query string, place *searchPlace, limit int32) ([]uuid.UUID, error) {
	q := authdb.New(m.Pool)
	if id, err := uuid.Parse(query); err == nil {
		return m.findByID(ctx, q, id)
	}
	if words := prefixQuery(query); words != "" && !place.ByEmail {
		ids, err := q.SearchAccountIDsByName(ctx, authdb.SearchAccountIDsByNameParams{Words: words, BeforeID: place.ID, PageSize: limit})
		if err != nil {
			return nil, fmt.Errorf("search accounts by name: %w", err)
		}
		if len(ids) > 0 || place.ID != uuid.Max {
			return ids, nil
		}
	}
	place.ByEmail = true
	ids, err := q.SearchAccountIDsByEmail(ctx, authdb.SearchAccountIDsByEmailParams{Prefix: emailPrefix(query), BeforeID: place.ID, PageSize: limit})
	if err != nil {
		return nil, fmt.Errorf("search accounts by e-mail: %w", err)
	}
	return ids, nil
}

func (m *AccountAdmin) findByID(ctx context.Context, q *authdb.Queries, id uuid.UUID) ([]uuid.UUID, error) {
	_, err := q.GetAccount(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find account: %w", err)
	}
	return []uuid.UUID{id}, nil
}

// maxWords is how many words of a name are looked for: each costs as much as the first.
const maxWords = 8

// prefixQuery asks for names that have a word with each of these beginnings, in the language of to_tsquery; empty when there are no words.
// Nothing but letters, their marks and digits gets into it, so nothing in it is an operator.
func prefixQuery(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) })
	words = words[:min(len(words), maxWords)]
	for i, word := range words {
		words[i] = "'" + word + "':*"
	}
	return strings.Join(words, " & ")
}

// emailPrefix is the beginning of an address as the database has it.
func emailPrefix(text string) string {
	if whole, err := parseEmail(text); err == nil {
		text = whole // its domain may have another form
	}
	return strings.ToLower(text)
}
