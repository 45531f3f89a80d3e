package console

import (
	"net/http"

	"github.com/mindspace-app/mindspace/console/view"
	"github.com/mindspace-app/mindspace/platform/fault"
)

// mailRequest is the form that asks for a mail. wrong is the field because of which it is shown again, or in place of another form.
func (c *Console) mailRequest(r *http.Request, at place, words notice, wrong *fault.Field) (answer, error) {
	text := accountTextsFor(r)
	form := view.MailRequest{
		Page: c.pageFor(r, at, words.Title), Heading: words.Title, Lead: words.Text,
		Action: at.url(r, languageFor(r)), Label: text.EmailLabel, Button: text.EmailButton,
	}
	if wrong == nil {
		return answer{page: view.MailRequestPage(form)}, nil
	}
	if wrong.Path == "email" {
		form.Email, form.Refusal = r.PostForm.Get("email"), text.EmailRefused
		form.Title = textsFor(r).Failed + ": " + form.Title
	} else {
		form.Gone = true
	}
	return answer{page: view.MailRequestPage(form), status: http.StatusUnprocessableEntity}, nil
}

// wrong finds the field that a call was refused for.
func wrong(err error, path string) (*fault.Field, bool) {
	refused, ok := fault.As(fault.FromClient(err))
	if !ok || refused.Kind() != fault.KindInvalid {
		return nil, false
	}
	for _, field := range refused.Fields() {
		if field.Path == path {
			return &field, true
		}
	}
	return nil, false
}
