package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/alexedwards/argon2id"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/mindspace-app/mindspace/services/auth/password"
)

// bareMeditation has the JSON fields of mindspace.content.v1.Meditation.
type bareMeditation struct {
	ID              uuid.UUID  `json:"id"`
	Title           string     `json:"title"`
	Description     string     `json:"description"`
	DurationSeconds int32      `json:"durationSeconds"`
	Level           string     `json:"level"`
	Tags            []string   `json:"tags"`
	CourseID        *uuid.UUID `json:"courseId,omitempty"`
	CourseTitle     string     `json:"courseTitle"`
	CoursePosition  int32      `json:"coursePosition"`
	Voice           string     `json:"voice"`
	Locale          string     `json:"locale"`
}

type bareRequest struct {
	ID       string `json:"id"`
	PageSize int    `json:"pageSize"`
	Locale   string `json:"locale"`
}

// serveBare is the bare limit: net/http, encoding/json and pgx, the same query, and nothing else: no validation, no policy, no tracing, no limits.
func serveBare(ctx context.Context, address string) error {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	config.MaxConns = 16
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /empty", func(w http.ResponseWriter, r *http.Request) {
		var req struct{}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	})
	parameters := password.Parameters()
	hash, err := argon2id.CreateHash("bench-Password-1", &parameters)
	if err != nil {
		return err
	}
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) { bareLogin(hash, w, r) })
	options, err := redis.ParseURL(os.Getenv("REDIS_URL"))
	if err != nil {
		return err
	}
	rdb := redis.NewClient(options)
	defer rdb.Close()
	for i := range 1000 {
		if err := rdb.Set(ctx, fmt.Sprintf("profile:00000000-0000-4000-8000-%012d", i), bareMe, 0).Err(); err != nil {
			return err
		}
	}
	mux.HandleFunc("POST /me", func(w http.ResponseWriter, r *http.Request) { bareProfile(rdb, w, r) })
	mux.HandleFunc("POST /create", func(w http.ResponseWriter, r *http.Request) { bareCreate(pool, w, r) })
	mux.HandleFunc("POST /history", func(w http.ResponseWriter, r *http.Request) { bareHistory(pool, w, r) })
	mux.HandleFunc("POST /list", func(w http.ResponseWriter, r *http.Request) { bareList(pool, w, r) })
	mux.HandleFunc("POST /get", func(w http.ResponseWriter, r *http.Request) { bareGet(pool, w, r) })
	mux.HandleFunc("GET /usage", usage)
	return serve(ctx, address, mux)
}

const bareOne = `SELECT id, title, description, duration_seconds, level, tags, course_id, course_title, course_position, voice, locale
FROM content.localised_meditations WHERE id = $1 AND asked_locale = $2`

func bareGet(pool *pgxpool.Pool, w http.ResponseWriter, r *http.Request) {
	var req bareRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows, err := pool.Query(r.Context(), bareOne, req.ID, req.Locale)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	one, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[bareMeditation])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"meditation": one})
}

const bareQuery = `SELECT id, title, description, duration_seconds, level, tags, course_id, course_title, course_position, voice, locale
FROM content.localised_meditations WHERE asked_locale = $1 ORDER BY position, id LIMIT $2`

func bareList(pool *pgxpool.Pool, w http.ResponseWriter, r *http.Request) {
	var req bareRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows, err := pool.Query(r.Context(), bareQuery, req.Locale, req.PageSize)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[bareMeditation])
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"meditations": all})
}
