package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// fetch gives an answer whole, with its header.
func fetch(t *testing.T, url string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// list is the array of an answer.
func list(answer map[string]any, name string) []map[string]any {
	values, _ := answer[name].([]any)
	all := make([]map[string]any, 0, len(values))
	for _, value := range values {
		object, _ := value.(map[string]any)
		all = append(all, object)
	}
	return all
}

// A person's practice as an app sees it: from the catalogue over listening to streaks, with a phone that was offline.
func TestPractice(t *testing.T) {
	t.Parallel()
	p := up(t, folder(t))
	ana := p.person(t, "ana.practice@example.org")
	courses := list(ana.call("content.v1.ContentService/ListCourses", `{"locale":"sr"}`), "courses")
	if len(courses) == 0 {
		t.Fatal("no courses")
	}
	course, _ := courses[0]["id"].(string)
	lessons := list(ana.call("content.v1.ContentService/ListMeditations", fmt.Sprintf(`{"courseId":%q,"pageSize":100}`, course)), "meditations")
	if len(lessons) < 2 {
		t.Fatalf("lessons: %v", lessons)
	}
	lesson, _ := lessons[0]["id"].(string)

	t.Run("sound", func(t *testing.T) { listen(t, p, ana, lesson) })
	t.Run("a session", func(t *testing.T) {
		start := time.Now().Add(-11 * time.Minute).UTC().Format(time.RFC3339)
		begun := ana.call("meditation.v1.MeditationService/StartSession", fmt.Sprintf(`{"clientId":%q,"meditationId":%q,"startedAt":%q,"timeZone":"Europe/Belgrade"}`, uuid.NewString(), lesson, start))
		id, _ := at(begun, "session", "id").(string)
		if answer := ana.call("meditation.v1.MeditationService/Heartbeat", fmt.Sprintf(`{"sessionId":%q,"positionSeconds":300}`, id)); at(answer, "session", "state") != "SESSION_STATE_RUNNING" {
			t.Fatalf("started %v, then %v", begun, answer)
		}
		done := ana.call("meditation.v1.MeditationService/CompleteSession", fmt.Sprintf(`{"sessionId":%q,"moodBefore":2,"moodAfter":4,"note":"felt calm"}`, id))
		if at(done, "session", "state") != "SESSION_STATE_COMPLETED" || at(done, "session", "moodAfter") != 4.0 || at(done, "session", "localDate") == nil {
			t.Errorf("%v", done)
		}
		other := p.person(t, "other.practice@example.org")
		if answer := other.call("meditation.v1.MeditationService/GetSession", fmt.Sprintf(`{"sessionId":%q}`, id)); answer["code"] != "not_found" {
			t.Errorf("another person: %v", answer)
		}
	})
	t.Run("a phone that was offline", func(t *testing.T) {
		var sessions []string
		for day := 1; day <= 7; day++ {
			start := time.Now().AddDate(0, 0, -day).UTC().Truncate(24 * time.Hour).Add(12 * time.Hour)
			sessions = append(sessions, fmt.Sprintf(`{"clientId":%q,"meditationId":%q,"startedAt":%q,"endedAt":%q,"timeZone":"UTC"}`,
				uuid.NewString(), lesson, start.Format(time.RFC3339), start.Add(15*time.Minute).Format(time.RFC3339)))
		}
		body := `{"sessions":[` + strings.Join(sessions, ",") + `]}`
		for range 2 { // the first answer may have been lost
			for i, result := range list(ana.call("meditation.v1.MeditationService/RecordSessions", body), "results") {
				if result["error"] != nil || at(result, "session", "practicedSeconds") != 900.0 {
					t.Errorf("session %d: %v", i, result)
				}
			}
		}
		history := list(ana.call("meditation.v1.MeditationService/ListSessions", `{"pageSize":100}`), "sessions")
		if len(history) != 8 {
			t.Errorf("%d sessions in the history, want 8", len(history))
		}
		stats := ana.call("user.v1.UserService/GetStats", `{}`)
		if days, _ := at(stats, "stats", "practiceDays").(float64); at(stats, "stats", "totalSessions") != 8.0 || days < 7 || at(stats, "stats", "currentStreakDays") != days || at(stats, "stats", "freezesHeld") != 1.0 {
			t.Errorf("%v", stats)
		}
	})
	t.Run("what follows", func(t *testing.T) {
		await(t, p, "the milestone of a week", func() bool {
			stats, _ := ana.call("user.v1.UserService/GetStats", `{}`)["stats"].(map[string]any)
			return slices.ContainsFunc(list(stats, "milestones"), func(m map[string]any) bool {
				return m["kind"] == "MILESTONE_KIND_STREAK_DAYS" && m["threshold"] == 7.0
			})
		})
		progress := ana.call("content.v1.ContentService/GetCourse", fmt.Sprintf(`{"id":%q}`, course))
		if !strings.Contains(fmt.Sprint(at(progress, "course", "progress")), lesson) {
			t.Errorf("progress of the course: %v", progress)
		}
		favourite := fmt.Sprintf(`{"meditationId":%q,"favourite":true}`, lesson)
		ana.call("content.v1.ContentService/SetFavourite", favourite)
		if all := list(ana.call("content.v1.ContentService/ListFavourites", `{}`), "meditations"); len(all) != 1 || all[0]["id"] != lesson {
			t.Errorf("favourites: %v", all)
		}
		if now := ana.call("content.v1.ContentService/ListForNow", `{"locale":"ru","timeZone":"Europe/Belgrade"}`); !strings.Contains(fmt.Sprint(now), "reason") {
			t.Errorf("for now: %v", now)
		}
		synced := ana.call("meditation.v1.MeditationService/SyncSessions", `{}`)
		if len(list(synced, "changes")) != 8 || synced["cursor"] == nil {
			t.Errorf("sync: %v", synced)
		}
	})
}

// listen fetches the sound of a meditation in two halves and as a whole.
func listen(t *testing.T, p *program, ana caller, meditation string) {
	t.Helper()
	playback := ana.call("content.v1.ContentService/GetPlayback", fmt.Sprintf(`{"meditationId":%q,"locale":"en"}`, meditation))
	url, _ := playback["url"].(string)
	if url == "" || playback["expiresAt"] == nil {
		t.Fatalf("%v", playback)
	}
	res, whole := fetch(t, url, nil)
	sum := sha256.Sum256(whole)
	if res.StatusCode != http.StatusOK || fmt.Sprint(len(whole)) != playback["sizeBytes"] || hex.EncodeToString(sum[:]) != playback["sha256"] || !strings.Contains(res.Header.Get("Cache-Control"), "max-age=") {
		t.Errorf("status %d, %d bytes, %v; told %v", res.StatusCode, len(whole), res.Header, playback)
	}
	middle := len(whole) / 2
	first, a := fetch(t, url, http.Header{"Range": {fmt.Sprintf("bytes=0-%d", middle-1)}})
	second, b := fetch(t, url, http.Header{"Range": {fmt.Sprintf("bytes=%d-", middle)}})
	if first.StatusCode != http.StatusPartialContent || second.StatusCode != http.StatusPartialContent || string(a)+string(b) != string(whole) {
		t.Errorf("halves: status %d and %d, %d and %d bytes of %d", first.StatusCode, second.StatusCode, len(a), len(b), len(whole))
	}
	if res, _ := fetch(t, strings.Replace(url, "expires=", "expires=9", 1), nil); res.StatusCode != http.StatusForbidden {
		t.Errorf("with another time: status %d", res.StatusCode)
	}
	if answer := (caller{t: t, p: p}).call("content.v1.ContentService/GetPlayback", fmt.Sprintf(`{"meditationId":%q}`, meditation)); answer["code"] != "unauthenticated" {
		t.Errorf("signed out: %v", answer)
	}
}
