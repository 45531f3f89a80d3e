package cache

// Waiting is how many wait for the load of a key.
func (c *Cache[V]) Waiting(key string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.flights[key]; ok {
		return f.waiting
	}
	return 0
}
