package content

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/mindspace-app/mindspace/gen/db/contentdb"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// audioFresh is how long a cache may keep sound at most.
const audioFresh = 24 * time.Hour

// audioExposed are the headers of sound that scripts of other origins may read.
const audioExposed = "Accept-Ranges, Content-Length, Content-Range, ETag, Retry-After"

// Handler serves sound to whoever has a URL that [Service.GetPlayback] made; mount it at "GET "+[AudioPath]+"{id}". What an id stands for never
// changes, so caches may keep it for as long as the URL works, and need not ask again.
//
// It answers ranges and conditions, 403 with one text for every URL that is not ours or has had its time, and 404 when the sound is gone. What needs
// no bytes (HEAD, 304, 416) is answered from what is known of the sound, whether or not its file is there. Whoever takes nothing for a minute is cut off.
func (s *Service) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		openToAll(w.Header())
		id, until, ok := s.permitted(r)
		if !ok {
			refuseAudio(w, http.StatusForbidden, "This link is not valid, or not any more. Ask for another.")
			return
		}
		answer := &audioAnswer{ResponseWriter: w}
		m, err := s.medium(r.Context(), id)
		if err == nil {
			err = s.serveAudio(answer, r, m, until)
		}
		if err != nil {
			s.failAudio(answer, r, id, err)
		}
	})
}

// openToAll lets pages of every origin play and read the sound: the URL is the permission, and no cookie counts. The answer is the same for all of them,
// so that a cache needs one copy; what the edge said of allowed origins is replaced.
func openToAll(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "cross-origin")
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Expose-Headers", audioExposed)
	header.Del("Vary")
}

func refuseAudio(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text, status)
}

// permitted tells which sound a URL is for and until when, if it is ours and has time left. Nothing is looked up for any other.
func (s *Service) permitted(r *http.Request) (media uuid.UUID, until time.Time, ok bool) {
	media, err := uuid.Parse(r.PathValue("id"))
	if err != nil || media.String() != r.PathValue("id") {
		return uuid.Nil, time.Time{}, false
	}
	until, ok = s.links.until(media, r.URL.RawQuery)
	return media, until, ok && s.now().Before(until)
}

// serveAudio answers with the sound, or the part of it that is asked for. It fails when that cannot be read. Fault: NotFound when it is gone.
func (s *Service) serveAudio(w *audioAnswer, r *http.Request, m contentdb.ContentMedium, until time.Time) error {
	fresh := min(until.Sub(s.now()), audioFresh)
	header := w.Header()
	header.Set("Content-Type", m.ContentType)
	header.Set("ETag", `"`+hex.EncodeToString(m.Sha256)+`"`)
	header.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(fresh.Seconds()))+", immutable")
	file := newSoundFile(r.Context(), s.Blobs, m)
	http.ServeContent(w, r, "", time.Time{}, file)
	if err := file.end(); err != nil {
		return err
	}
	w.begin() // where there was nothing to write
	return nil
}

// failAudio answers that a sound cannot be served, or ends the connection when a part of it was sent: half a sound must not pass for a whole one.
func (s *Service) failAudio(w *audioAnswer, r *http.Request, id uuid.UUID, err error) {
	kind := fault.KindOf(err)
	if (w.begun || kind != fault.KindNotFound && kind != fault.KindUnavailable) && r.Context().Err() == nil {
		s.Logger.ErrorContext(r.Context(), "sound cannot be served", "media_id", id, "begun", w.begun, "error", err)
	}
	if w.begun {
		panic(http.ErrAbortHandler)
	}
	for _, name := range []string{"ETag", "Accept-Ranges", "Content-Range"} { // of the sound that it is not
		w.Header().Del(name)
	}
	switch kind {
	case fault.KindNotFound:
		refuseAudio(w, http.StatusNotFound, "This sound is not there any more.")
	case fault.KindUnavailable:
		w.Header().Set("Retry-After", "2")
		refuseAudio(w, http.StatusServiceUnavailable, "Try again in a moment.")
	default:
		refuseAudio(w, http.StatusInternalServerError, "Something went wrong on our side. Try again in a moment.")
	}
}
