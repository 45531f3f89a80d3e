package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mindspace-app/mindspace/gen/go/mindspace/meditation/v1/meditationv1connect"
)

// recordBody is a session on any day of twenty years.
const recordBody = `{"sessions":[{"clientId":"` + idPlace + `","startedAt":"` + dayPlace + `T07:00:00Z","endedAt":"` + dayPlace + `T07:10:00Z","timeZone":"UTC"}]}`

// bareSession has the JSON fields of mindspace.meditation.v1.Session.
type bareSession struct {
	ID               uuid.UUID  `json:"id"`
	ClientID         uuid.UUID  `json:"clientId"`
	MeditationID     *uuid.UUID `json:"meditationId,omitempty"`
	StartedAt        time.Time  `json:"startedAt"`
	EndedAt          time.Time  `json:"endedAt"`
	TimeZone         string     `json:"timeZone"`
	LocalDate        string     `json:"localDate"`
	PracticedSeconds int32      `json:"practicedSeconds"`
	Kind             string     `json:"kind"`
	State            string     `json:"state"`
	Finished         bool       `json:"finished"`
}

const bareInsert = `WITH s AS (
    INSERT INTO meditation.sessions (user_id, id, client_id, meditation_id, state, started_at, ended_at, practiced_seconds, planned_seconds, time_zone, day_start_hour,
        local_date, finished, seen_at, change, updated_at)
    VALUES ($1, $2, $3, NULL, 'completed', $4, $5, $6, 0, $7, 0, ($4::timestamptz AT TIME ZONE $7)::date, true, $5, 1, now())
    RETURNING user_id, local_date, practiced_seconds
), d AS (
    INSERT INTO meditation.days (user_id, local_date, sessions, seconds) SELECT user_id, local_date, 1, practiced_seconds FROM s
    ON CONFLICT (user_id, local_date) DO UPDATE SET sessions = days.sessions + 1, seconds = days.seconds + excluded.seconds
)
SELECT local_date::text FROM s`

// bareCreate inserts a session and counts its day in one statement. It checks nothing but the token, and tells nobody.
func bareCreate(pool *pgxpool.Pool, w http.ResponseWriter, r *http.Request) {
	who, ok := subject(r)
	if !ok {
		http.Error(w, "unauthenticated", http.StatusUnauthorized)
		return
	}
	var req struct {
		Sessions []bareSession `json:"sessions"`
	}
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil || len(req.Sessions) != 1 {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	one := req.Sessions[0]
	one.ID, one.PracticedSeconds = uuid.Must(uuid.NewV7()), int32(one.EndedAt.Sub(one.StartedAt)/time.Second) //nolint:gosec // ten minutes
	one.Kind, one.State, one.Finished = "SESSION_KIND_TIMER", "SESSION_STATE_COMPLETED", true
	err := pool.QueryRow(r.Context(), bareInsert, who, one.ID, one.ClientID, one.StartedAt, one.EndedAt, one.PracticedSeconds, one.TimeZone).Scan(&one.LocalDate)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"results": []any{map[string]any{"clientId": one.ClientID, "session": one}}})
}

const bareNewest = `SELECT id, client_id, meditation_id, started_at, ended_at, time_zone, local_date, practiced_seconds, finished
FROM meditation.sessions WHERE user_id = $1 AND state <> 'deleted' ORDER BY started_at DESC, id DESC LIMIT $2`

// bareHistory answers with the newest sessions of a person.
func bareHistory(pool *pgxpool.Pool, w http.ResponseWriter, r *http.Request) {
	who, ok := subject(r)
	if !ok {
		http.Error(w, "unauthenticated", http.StatusUnauthorized)
		return
	}
	var req bareRequest
	if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	rows, err := pool.Query(r.Context(), bareNewest, who, req.PageSize)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (bareSession, error) {
		one := bareSession{Kind: "SESSION_KIND_TIMER", State: "SESSION_STATE_COMPLETED"}
		var date time.Time
		err := row.Scan(&one.ID, &one.ClientID, &one.MeditationID, &one.StartedAt, &one.EndedAt, &one.TimeZone, &date, &one.PracticedSeconds, &one.Finished)
		one.LocalDate = date.Format(time.DateOnly)
		return one, err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"sessions": all})
}

// fill gives everybody a history, by each server's own means.
func fill(ctx context.Context, servers map[string]*server, keys *wallet, connections int) error {
	for name, path := range map[string]string{"bare": "/create", signedIn: meditationv1connect.MeditationServiceRecordSessionsProcedure} {
		tokens, err := keys.of(ctx, name, servers[name].address, connections)
		if err != nil {
			return err
		}
		if _, _, err := load(servers[name].address, path, recordBody, tokens, 2*time.Second); err != nil {
			return fmt.Errorf("fill %s: %w", name, err)
		}
	}
	return nil
}
