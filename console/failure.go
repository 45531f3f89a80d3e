package console

import (
	"fmt"
	"math"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/a-h/templ"

	"github.com/mindspace-app/mindspace/console/view"
	"github.com/mindspace-app/mindspace/platform/fault"
	"github.com/mindspace-app/mindspace/platform/identity"
)

// statuses is the one table from fault kinds to the status of a page.
var statuses = map[fault.Kind]int{
	fault.KindInternal:        http.StatusInternalServerError,
	fault.KindInvalid:         http.StatusBadRequest,
	fault.KindUnauthenticated: http.StatusUnauthorized,
	fault.KindDenied:          http.StatusForbidden,
	fault.KindNotFound:        http.StatusNotFound,
	fault.KindExists:          http.StatusConflict,
	fault.KindConflict:        http.StatusConflict,
	fault.KindPrecondition:    http.StatusConflict,
	fault.KindExhausted:       http.StatusTooManyRequests,
	fault.KindUnavailable:     http.StatusServiceUnavailable,
}

// failure is the page for an error: in the reader's language, and without the text of the error.
// What a call hid was logged there; what failed here is logged here.
func (c *Console) failure(r *http.Request, at place, err error) answer {
	err = fault.FromClient(err)
	kind, text := fault.KindOf(err), textsFor(r)
	switch connect.CodeOf(err) {
	case connect.CodeDeadlineExceeded, connect.CodeCanceled: // too slow, or the reader has left and sees none of this
		kind = fault.KindUnavailable
	case connect.CodeInternal: // the call has logged it
	default:
		if kind == fault.KindInternal {
			c.logger.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		}
	}
	a := answer{status: statuses[kind]}
	message := map[fault.Kind]string{
		fault.KindInvalid: text.Nowhere, fault.KindNotFound: text.Nowhere, fault.KindExhausted: text.TooMuch, fault.KindUnavailable: text.Away,
	}[kind]
	if message == "" {
		message = text.Broken
	}
	if known, ok := fault.As(err); ok && kind == fault.KindExhausted && known.RetryAfter() > 0 {
		message, a.after = fmt.Sprintf(text.TooMuchUntil, text.wait(known.RetryAfter())), known.RetryAfterSeconds()
	}
	a.page = c.failurePage(r, at, message)
	return a
}

// foreign is the page for a form that another site sent. Nothing of that form is on it.
func (c *Console) foreign(r *http.Request, at place) answer {
	return answer{page: c.failurePage(r, place{path: at.path}, accountTextsFor(r).Foreign), status: http.StatusForbidden}
}

func (c *Console) failurePage(r *http.Request, at place, message string) templ.Component {
	text := textsFor(r)
	f := view.Failure{
		Page: c.pageFor(r, at, text.Failed), Title: text.Failed, Message: message, RequestID: identity.RequestFrom(r.Context()).ID,
		Back: text.Again, BackURL: at.url(r, languageFor(r)),
	}
	if at.path == atStart.path {
		f.Back, f.BackURL = text.Back, f.Home
	}
	return view.FailurePage(f)
}

// wait is a length of time as one says when to come back.
func (t texts) wait(d time.Duration) string {
	if d <= 90*time.Second {
		return fmt.Sprintf("%d %s", int(math.Ceil(d.Seconds())), t.Seconds)
	}
	return fmt.Sprintf("%d %s", int(math.Ceil(d.Minutes())), t.Minutes)
}
