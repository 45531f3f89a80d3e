package console

import (
	"net/http"

	"github.com/mindspace-app/mindspace/console/view"
)

// Where a form leads when it did what it is for. These are addresses of their own, so that the page can be fetched again, and in another
// language, without sending the form again.
var (
	atVerifyDone = place{path: "/auth/verify/done"}
	atVerifySent = place{path: "/auth/verify/sent"}
	atResetDone  = place{path: "/auth/reset/done"}
	atResetSent  = place{path: "/auth/reset/sent"}
)

// noticeShow says what a form has done.
func (c *Console) noticeShow(r *http.Request) (answer, error) {
	words := accountTextsFor(r).Notices[r.URL.Path]
	page := c.pageFor(r, place{path: r.URL.Path}, words.Title)
	return answer{page: view.NoticePage(view.Notice{Page: page, Heading: words.Title, Text: words.Text})}, nil
}

// done leads the browser to a notice.
func done(r *http.Request, at place) (answer, error) {
	return answer{see: at.url(r, languageFor(r))}, nil
}
