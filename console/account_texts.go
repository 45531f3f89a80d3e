package console

import (
	"net/http"

	"github.com/mindspace-app/mindspace/platform/locale"
)

// notice is a title and what there is to say below it.
type notice struct{ Title, Text string }

// accountTexts are the words of the pages that the links of our mails lead to, in one language.
type accountTexts struct {
	VerifyTitle, VerifyLead, VerifyButton string
	// VerifyAgain and ResetRequest stand above the form that asks for a mail.
	VerifyAgain, ResetRequest             notice
	EmailLabel, EmailButton, EmailRefused string
	// GoneTitle and what follows say that a token is unknown, used or expired, above the form that asks for another one.
	GoneTitle, VerifyGone, ResetGone                          string
	ResetTitle, ResetLead, ResetLabel, ResetHint, ResetButton string
	// Refusals say why a password was not taken, by the reason of the fault; that of "" is for any other.
	Refusals map[string]string
	// Notices say what a form has done, by the path of the page.
	Notices map[string]notice
	// Foreign says that another site sent the form.
	Foreign string
}

func accountTextsFor(r *http.Request) accountTexts { return accountsByLanguage[languageFor(r)] }

// Reasons of the rules for passwords.
const (
	tooShort  = "PASSWORD_TOO_SHORT"
	tooLong   = "PASSWORD_TOO_LONG"
	common    = "PASSWORD_COMMON"
	guessable = "PASSWORD_GUESSABLE"
)

// refusal says why a password was not taken.
func (t accountTexts) refusal(reason string) string {
	switch reason {
	case "string.min_len": // the contract itself takes no empty one
		reason = tooShort
	case "string.max_bytes":
		reason = tooLong
	}
	if text := t.Refusals[reason]; text != "" {
		return text
	}
	return t.Refusals[""]
}

var accountsByLanguage = map[string]accountTexts{
	locale.English: {
		VerifyTitle: "Confirm your e-mail address", VerifyLead: "Press the button to confirm that this address is yours.", VerifyButton: "Confirm this address",
		VerifyAgain:  notice{"Confirm your e-mail address", "Type the e-mail address of your account, and we will send a mail to confirm it."},
		ResetRequest: notice{"Set a new password", "Type the e-mail address of your account, and we will send a mail with a link for a new password."},
		EmailLabel:   "E-mail address", EmailButton: "Send the mail", EmailRefused: "This is not an e-mail address. It should look like name@example.org.",
		GoneTitle: "This link no longer works",
		VerifyGone: "It was used already, or has expired. If you have confirmed your address before, there is nothing left to do. " +
			"If not, ask for a new mail here.",
		ResetGone:  "It was used already, or has expired. Ask for a new mail here.",
		ResetTitle: "Choose a new password", ResetLead: "This signs out all your devices. Then sign in with the new password.",
		ResetLabel: "New password", ResetHint: "10 to 128 characters. A few unrelated words are easy to remember and hard to guess.",
		ResetButton: "Set the new password",
		Refusals: map[string]string{
			tooShort:  "This password is too short. It needs at least 10 characters.",
			tooLong:   "This password is too long. It may have 128 characters at most.",
			common:    "This password is among those that are guessed first. Choose another one.",
			guessable: "This password is easy to guess: it follows a pattern, or is your name or address. Choose another one.",
			"":        "This password cannot be used. Choose another one.",
		},
		Notices: map[string]notice{
			atVerifyDone.path: {"Your address is confirmed", "Thank you. You can go back to the app now."},
			atVerifySent.path: {"Look into your mail", "If there is an account with this address that waits to be confirmed, a mail is on its way. " +
				"It may take a few minutes. If it does not come, look into the spam folder."},
			atResetDone.path: {"Your new password is set", "All your devices were signed out. Sign in with the new password in the app."},
			atResetSent.path: {"Look into your mail", "If there is an account with this address, a mail with a link for a new password is on its way. " +
				"It may take a few minutes. If it does not come, look into the spam folder."},
		},
		Foreign: "This form was sent from another site, so we did not use it. Open the link of the mail again.",
	},
	locale.Russian: {
		VerifyTitle: "Подтвердите адрес электронной почты", VerifyLead: "Нажмите кнопку, чтобы подтвердить, что этот адрес ваш.", VerifyButton: "Подтвердить адрес",
		VerifyAgain:  notice{"Подтвердите адрес электронной почты", "Введите адрес вашего аккаунта, и мы отправим письмо для подтверждения."},
		ResetRequest: notice{"Задайте новый пароль", "Введите адрес вашего аккаунта, и мы отправим письмо со ссылкой для нового пароля."},
		EmailLabel:   "Адрес электронной почты", EmailButton: "Отправить письмо", EmailRefused: "Это не адрес электронной почты. Он должен выглядеть так: name@example.org.",
		GoneTitle: "Эта ссылка больше не действует",
		VerifyGone: "Она уже использована, или её срок истёк. Если вы уже подтвердили адрес, больше ничего делать не нужно. " +
			"Если нет, запросите здесь новое письмо.",
		ResetGone:  "Она уже использована, или её срок истёк. Запросите здесь новое письмо.",
		ResetTitle: "Придумайте новый пароль", ResetLead: "На всех ваших устройствах произойдёт выход. После этого войдите с новым паролем.",
		ResetLabel: "Новый пароль", ResetHint: "От 10 до 128 символов. Несколько не связанных между собой слов легко запомнить и трудно угадать.",
		ResetButton: "Задать новый пароль",
		Refusals: map[string]string{
			tooShort:  "Этот пароль слишком короткий. Нужно не меньше 10 символов.",
			tooLong:   "Этот пароль слишком длинный. Можно не больше 128 символов.",
			common:    "Этот пароль из тех, что пробуют первыми. Придумайте другой.",
			guessable: "Этот пароль легко угадать: в нём есть закономерность, или это ваше имя или адрес. Придумайте другой.",
			"":        "Этот пароль использовать нельзя. Придумайте другой.",
		},
		Notices: map[string]notice{
			atVerifyDone.path: {"Адрес подтверждён", "Спасибо. Теперь можно вернуться в приложение."},
			atVerifySent.path: {"Проверьте почту", "Если есть аккаунт с этим адресом, который ждёт подтверждения, письмо уже в пути. " +
				"Это может занять несколько минут. Если письма нет, загляните в папку «Спам»."},
			atResetDone.path: {"Новый пароль задан", "На всех ваших устройствах выполнен выход. Войдите в приложении с новым паролем."},
			atResetSent.path: {"Проверьте почту", "Если есть аккаунт с этим адресом, письмо со ссылкой для нового пароля уже в пути. " +
				"Это может занять несколько минут. Если письма нет, загляните в папку «Спам»."},
		},
		Foreign: "Эта форма отправлена с другого сайта, поэтому мы её не приняли. Откройте ссылку из письма ещё раз.",
	},
	locale.Serbian: {
		VerifyTitle: "Potvrdite svoju adresu e-pošte", VerifyLead: "Pritisnite dugme da potvrdite da je ova adresa vaša.", VerifyButton: "Potvrdi adresu",
		VerifyAgain:  notice{"Potvrdite svoju adresu e-pošte", "Unesite adresu e-pošte svog naloga i poslaćemo poruku za potvrdu."},
		ResetRequest: notice{"Postavite novu lozinku", "Unesite adresu e-pošte svog naloga i poslaćemo poruku s vezom za novu lozinku."},
		EmailLabel:   "Adresa e-pošte", EmailButton: "Pošalji poruku", EmailRefused: "Ovo nije adresa e-pošte. Treba da izgleda ovako: name@example.org.",
		GoneTitle: "Ova veza više ne važi",
		VerifyGone: "Već je iskorišćena ili joj je istekao rok. Ako ste adresu već potvrdili, ne treba ništa više da radite. " +
			"Ako niste, ovde zatražite novu poruku.",
		ResetGone:  "Već je iskorišćena ili joj je istekao rok. Ovde zatražite novu poruku.",
		ResetTitle: "Izaberite novu lozinku", ResetLead: "Time se odjavljuju svi vaši uređaji. Zatim se prijavite novom lozinkom.",
		ResetLabel: "Nova lozinka", ResetHint: "Od 10 do 128 znakova. Nekoliko nepovezanih reči lako se pamti, a teško pogađa.",
		ResetButton: "Postavi novu lozinku",
		Refusals: map[string]string{
			tooShort:  "Ova lozinka je prekratka. Treba da ima najmanje 10 znakova.",
			tooLong:   "Ova lozinka je predugačka. Može da ima najviše 128 znakova.",
			common:    "Ova lozinka je među onima koje se prve pogađaju. Izaberite drugu.",
			guessable: "Ova lozinka se lako pogađa: prati obrazac, ili je vaše ime ili adresa. Izaberite drugu.",
			"":        "Ova lozinka ne može da se koristi. Izaberite drugu.",
		},
		Notices: map[string]notice{
			atVerifyDone.path: {"Adresa je potvrđena", "Hvala. Sada možete da se vratite u aplikaciju."},
			atVerifySent.path: {"Pogledajte svoju poštu", "Ako postoji nalog s ovom adresom koji čeka potvrdu, poruka je na putu. " +
				"To može da potraje nekoliko minuta. Ako ne stigne, pogledajte među neželjenom poštom."},
			atResetDone.path: {"Nova lozinka je postavljena", "Svi vaši uređaji su odjavljeni. Prijavite se novom lozinkom u aplikaciji."},
			atResetSent.path: {"Pogledajte svoju poštu", "Ako postoji nalog s ovom adresom, poruka s vezom za novu lozinku je na putu. " +
				"To može da potraje nekoliko minuta. Ako ne stigne, pogledajte među neželjenom poštom."},
		},
		Foreign: "Ovaj obrazac je poslat s drugog sajta, pa ga nismo prihvatili. Ponovo otvorite vezu iz poruke.",
	},
}
