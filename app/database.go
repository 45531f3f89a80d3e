package app

import "errors"

// DatabaseOptions say which database a command works on.
type DatabaseOptions struct {
	DatabaseURL       string `name:"database-url" env:"DATABASE_URL" help:"PostgreSQL to work on."`
	DatabaseDirectURL string `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same database, not through a transaction pooler."`
}

// URL is the address to work at: past the pooler, where there is one.
func (o DatabaseOptions) URL() (string, error) {
	switch {
	case o.DatabaseDirectURL != "":
		return o.DatabaseDirectURL, nil
	case o.DatabaseURL != "":
		return o.DatabaseURL, nil
	default:
		return "", errors.New("DATABASE_URL is not set")
	}
}
