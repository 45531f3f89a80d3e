package letter

import (
	"fmt"

	"github.com/mindspace-app/mindspace/platform/locale"
)

// language is every text of this package in one language.
type language struct {
	tag      string // BCP 47, for the HTML
	hello    string // greets nobody in particular
	helloYou string // %s is the name

	orCode         string
	expires        string // %s is a number of hours or minutes
	hours, minutes forms

	verify, reset struct {
		subject, why, action, otherwise string
	}
	registered struct {
		subject, why, signIn, forgotten, action, otherwise string
	}

	erased struct {
		subject, happened, receipt, last string
		backups                          string // %s is a date
	}

	alerts              map[Kind]alertText
	advice, secure      string
	when, device, place string
	due, receipt        string

	footer string
}

// alertText is what is said of one kind of event.
type alertText struct {
	subject, happened string
	advice            string // instead of the usual one
}

var languages = map[string]language{locale.English: english(), locale.Russian: russian(), locale.Serbian: serbian()}

func (l language) greet(name string) string {
	if greetable(name) {
		return fmt.Sprintf(l.helloYou, name)
	}
	return l.hello
}

// forms are the ways to count something, each with %d: 1, 2, 5. All that end in 1 but 11 are counted like 1 in Russian and Serbian
// and all that end in 2 to 4 but 12 to 14 like 2 (CLDR's one, few and many or other). English has no such numbers but 1 itself.
type forms struct {
	one, few, many string
	onlyOne        bool // 21 is not counted like 1
}

func (f forms) of(n int) string {
	form := f.many
	switch last, teens := n%10, n%100 >= 11 && n%100 <= 14; {
	case f.onlyOne && n == 1, !f.onlyOne && last == 1 && !teens:
		form = f.one
	case !f.onlyOne && last >= 2 && last <= 4 && !teens:
		form = f.few
	}
	return fmt.Sprintf(form, n)
}
