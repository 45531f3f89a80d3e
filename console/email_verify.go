package console

import (
	"net/http"

	"github.com/mindspace-app/mindspace/console/view"
	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

var (
	// atVerify is where the link of a verification mail leads.
	atVerify      = place{path: "/auth/verify", keep: []string{"token"}}
	atVerifyAgain = place{path: "/auth/verify/again"}
)

// verifyShow asks the reader to confirm. It does not use the token: programs that look through mails open every link in them.
func (c *Console) verifyShow(r *http.Request) (answer, error) {
	token := r.FormValue("token")
	if token == "" {
		return c.verifyAgainShow(r)
	}
	text := accountTextsFor(r)
	return answer{page: view.EmailVerifyPage(view.EmailVerify{
		Page: c.pageFor(r, atVerify, text.VerifyTitle), Heading: text.VerifyTitle, Lead: text.VerifyLead, Button: text.VerifyButton,
		Action: place{path: atVerify.path}.url(r, languageFor(r)), Token: token,
	})}, nil
}

// verifySend uses the token.
func (c *Console) verifySend(r *http.Request) (answer, error) {
	_, err := c.accounts.VerifyEmail(r.Context(), &authv1.VerifyEmailRequest{Token: r.PostForm.Get("token")})
	if field, ok := wrong(err, "token"); ok {
		words := accountTextsFor(r).VerifyAgain
		words.Title, words.Text = accountTextsFor(r).GoneTitle, accountTextsFor(r).VerifyGone
		return c.mailRequest(r, atVerifyAgain, words, field)
	}
	if err != nil {
		return answer{}, err
	}
	return done(r, atVerifyDone)
}

// verifyAgainShow offers another verification mail.
func (c *Console) verifyAgainShow(r *http.Request) (answer, error) {
	return c.mailRequest(r, atVerifyAgain, accountTextsFor(r).VerifyAgain, nil)
}

// verifyAgainSend sends another verification mail, if there is an account to send it to.
func (c *Console) verifyAgainSend(r *http.Request) (answer, error) {
	_, err := c.accounts.RequestEmailVerification(r.Context(), &authv1.RequestEmailVerificationRequest{Email: r.PostForm.Get("email")})
	if field, ok := wrong(err, "email"); ok {
		return c.mailRequest(r, atVerifyAgain, accountTextsFor(r).VerifyAgain, field)
	}
	if err != nil {
		return answer{}, err
	}
	return done(r, atVerifySent)
}
