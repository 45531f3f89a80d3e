package console

import (
	"net/http"

	"github.com/mindspace-app/mindspace/console/view"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

var (
	// atReset is where the link of a reset mail leads; without a token, that of a mail that something happened to the account.
	atReset        = place{path: "/auth/reset", keep: []string{"token"}}
	atResetRequest = place{path: "/auth/reset/request"}
)

// resetShow asks for a new password, or for the address to send a token to.
func (c *Console) resetShow(r *http.Request) (answer, error) {
	if r.FormValue("token") == "" {
		return c.resetRequestShow(r)
	}
	return c.passwordForm(r, "")
}

// resetSend sets the new password. One that is refused costs neither the token nor the way back to the form.
func (c *Console) resetSend(r *http.Request) (answer, error) {
	_, err := c.accounts.ResetPassword(r.Context(), &authv1.ResetPasswordRequest{
		Token: r.PostForm.Get("token"), NewPassword: r.PostForm.Get("password"),
	})
	text := accountTextsFor(r)
	if field, ok := wrong(err, "token"); ok {
		words := text.ResetRequest
		words.Title, words.Text = text.GoneTitle, text.ResetGone
		return c.mailRequest(r, atResetRequest, words, field)
	}
	if field, ok := wrong(err, "newPassword"); ok {
		return c.passwordForm(r, text.refusal(field.Reason))
	}
	if err != nil {
		return answer{}, err
	}
	return done(r, atResetDone)
}

// passwordForm is the form for a new password; refusal says why the one that was sent was not taken.
func (c *Console) passwordForm(r *http.Request, refusal string) (answer, error) {
	text := accountTextsFor(r)
	form := view.PasswordReset{
		Page: c.pageFor(r, atReset, text.ResetTitle), Heading: text.ResetTitle, Lead: text.ResetLead,
		Action: place{path: atReset.path}.url(r, languageFor(r)), Token: r.FormValue("token"),
		Label: text.ResetLabel, Hint: text.ResetHint, Refusal: refusal, Button: text.ResetButton,
	}
	if refusal == "" {
		return answer{page: view.PasswordResetPage(form)}, nil
	}
	form.Title = textsFor(r).Failed + ": " + form.Title
	return answer{page: view.PasswordResetPage(form), status: http.StatusUnprocessableEntity}, nil
}

// resetRequestShow asks for the address to send a token to.
func (c *Console) resetRequestShow(r *http.Request) (answer, error) {
	return c.mailRequest(r, atResetRequest, accountTextsFor(r).ResetRequest, nil)
}

// resetRequestSend sends a token, if there is an account to send it to.
func (c *Console) resetRequestSend(r *http.Request) (answer, error) {
	_, err := c.accounts.RequestPasswordReset(r.Context(), &authv1.RequestPasswordResetRequest{Email: r.PostForm.Get("email")})
	if field, ok := wrong(err, "email"); ok {
		return c.mailRequest(r, atResetRequest, accountTextsFor(r).ResetRequest, field)
	}
	if err != nil {
		return answer{}, err
	}
	return done(r, atResetSent)
}
