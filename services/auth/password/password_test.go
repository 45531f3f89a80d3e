package password

import (
	"sort"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mindspace-app/mindspace/platform/fault"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	ana := Owner{Email: "ana.petrovic+mind@example.org", DisplayName: "Ana Petrović"}
	cases := map[string]struct {
		password string
		owner    Owner
		reason   string // "" for one that is good
	}{
		"demo":                       {password: "demo-Password-1"},
		"passphrase":                 {password: "violet kettle under the stairs", owner: ana},
		"ten letters":                {password: "zkqvjwmxtr"},
		"made by a manager":          {password: "x7#Lq!9vRt2&"},
		"random digits":              {password: "48392017561"},
		"random hex":                 {password: "9f86d081884c7d659a2f"},
		"Russian":                    {password: "зелёный чайник поёт"},
		"Serbian":                    {password: "ljubičasti čajnik peva"},
		"emoji":                      {password: "🦊🐢 kettle 🦉🌲"},
		"ten emoji":                  {password: "🦊🐢🦉🌲🍎🚲🎻🧲🪁🧩"},
		"128 characters":             {password: strings.Repeat("violet kettle 8 ", 7) + "under the tree!!"},
		"contains the name":          {password: "Ana drinks green tea", owner: ana},
		"two letters of a short one": {password: "x8203-49-5831", owner: Owner{Email: "x@example.org"}},
		"nobody's name":              {password: "Ana Petrovic 1990"},

		"empty":            {password: "", reason: ReasonTooShort},
		"nine":             {password: "zkqvjwmxt", reason: ReasonTooShort},
		"nine composed":    {password: strings.Repeat("é", 9), reason: ReasonTooShort}, // 18 code points as typed
		"129":              {password: strings.Repeat("violet kettle 8 ", 7) + "under the trees!!", reason: ReasonTooLong},
		"129 when written": {password: strings.Repeat("violet kettle 8 ", 7) + "under the tree ㎏", reason: ReasonTooLong},
		"a megabyte":       {password: strings.Repeat("a", 1<<20), reason: ReasonTooLong},
		"not UTF-8":        {password: "violet \xff kettle", reason: ReasonMalformed},
		"null":             {password: "violet\x00kettle", reason: ReasonMalformed},

		"in the list":            {password: "trustnoone", reason: ReasonCommon},
		"digits at its end":      {password: "Password123!", reason: ReasonCommon},
		"in leet":                {password: "P@ssw0rd123", reason: ReasonCommon},
		"in leet to the end":     {password: "4dm1n15tr470r", reason: ReasonCommon},
		"i":                      {password: "L3TM31N-2024", reason: ReasonCommon},
		"l":                      {password: "!!1etmein2024", reason: ReasonCommon},
		"digits around":          {password: "2024sunshine!", reason: ReasonCommon},
		"twice":                  {password: "Monkey1Monkey1", reason: ReasonCommon},
		"row":                    {password: "qwertyuiop", reason: ReasonCommon},
		"digits":                 {password: "1234567890", reason: ReasonCommon},
		"wide":                   {password: "ｐａｓｓｗｏｒｄ１２３", reason: ReasonCommon}, // as some keyboards of East Asia write
		"this product":           {password: "MindSpace2026", reason: ReasonCommon},
		"common in Russian":      {password: "Пароль12345", reason: ReasonCommon},
		"one letter":             {password: "aaaaaaaaaa", reason: ReasonGuessable},
		"one emoji":              {password: strings.Repeat("🦊", 10), reason: ReasonGuessable},
		"three characters":       {password: "abcaabbccbac", reason: ReasonGuessable},
		"short part":             {password: "k7#xk7#xk7#x", reason: ReasonGuessable},
		"short part cut":         {password: "k7#xyk7#xyk7", reason: ReasonGuessable},
		"alphabet and digits":    {password: "fghijklm4321!", reason: ReasonGuessable},
		"backwards":              {password: "0987-jhgfds", reason: ReasonGuessable},
		"row in Russian":         {password: "йцукенгшщз1", reason: ReasonGuessable},
		"row in Serbian":         {password: "qwertzuiopš", reason: ReasonGuessable},
		"alphabet in Russian":    {password: "абвгдежзик", reason: ReasonGuessable},
		"e-mail address":         {password: "Ana.Petrovic+Mind@example.org", owner: ana, reason: ReasonGuessable},
		"local part":             {password: "ana.petrovic+mind", owner: ana, reason: ReasonGuessable},
		"local part without tag": {password: "AnaPetrovic90!", owner: ana, reason: ReasonGuessable},
		"display name":           {password: "ana petrović", owner: ana, reason: ReasonGuessable},
		"display name reordered": {password: "__Petrovic__1990", owner: ana, reason: ReasonGuessable},
		"telephone number":       {password: "+381 64 7203 915", owner: Owner{Email: "381647203915@example.org"}, reason: ReasonGuessable},
		"name in Cyrillic":       {password: "Анапетровић1", owner: Owner{DisplayName: "Ана Петровић"}, reason: ReasonGuessable},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Check("newPassword", c.password, c.owner)
			if c.reason == "" {
				if err != nil {
					t.Errorf("refused: %v", err)
				}
				return
			}
			f, ok := fault.As(err)
			if !ok || f.Kind() != fault.KindInvalid || f.Reason() != c.reason {
				t.Fatalf("got %v, want reason %s", err, c.reason)
			}
			if fields := f.Fields(); len(fields) != 1 || fields[0].Path != "newPassword" || fields[0].Reason != c.reason || fields[0].Description == "" {
				t.Errorf("fields %+v", fields)
			}
		})
	}
}

func TestNormaliseJoinsWaysOfTyping(t *testing.T) {
	t.Parallel()
	for _, other := range []string{"cafe\u0301 \ufb01n Ⅳ", "café ﬁn IV", "ｃａｆé ﬁn IV"} {
		if got := Normalise(other); got != "café fin IV" {
			t.Errorf("%q becomes %q", other, got)
		}
	}
}

func TestListIsSortedAndFoundToTheLastLine(t *testing.T) {
	t.Parallel()
	lines := strings.Split(strings.TrimSuffix(commonList, "\n"), "\n")
	if len(lines) < 30_000 || !strings.HasSuffix(commonList, "\n") || !sort.StringsAreSorted(lines) {
		t.Fatalf("%d lines, sorted %v", len(lines), sort.StringsAreSorted(lines))
	}
	for i, line := range lines {
		if !listed(line) {
			t.Fatalf("line %d, %q, is not found", i+1, line)
		}
		if utf8.RuneCountInString(line) < minPart || line != strings.ToLower(Normalise(line)) {
			t.Errorf("line %d, %q, is of no use", i+1, line)
		}
	}
	for _, absent := range []string{"", "\n", "a", "password\n", "zkqvjwmxtr", "passwordpasswordx", "\U0010ffff", lines[0] + "\n" + lines[1]} {
		if listed(absent) {
			t.Errorf("%q is found", absent)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"", "demo-Password-1", "P@ssw0rd123", "aaaaaaaaaa", "\xff\x00", strings.Repeat("ﷺ", 128), strings.Repeat("e\u0301", 40), "🦊🦊🦊🦊🦊🦊🦊🦊🦊🦊"} {
		f.Add(seed, "ana@example.org", "Ana")
		f.Add("violet kettle 8", seed, seed)
	}
	f.Fuzz(func(t *testing.T, password, email, name string) {
		err := Check("password", password, Owner{Email: email, DisplayName: name})
		if err != nil {
			if fault.KindOf(err) != fault.KindInvalid {
				t.Errorf("%q: %v", password, err)
			}
			return
		}
		if n := utf8.RuneCountInString(Normalise(password)); n < MinLength || n > MaxLength || !utf8.ValidString(password) {
			t.Errorf("%q was accepted", password)
		}
		if Check("password", password, Owner{Email: email, DisplayName: password}) == nil && keep(Normalise(password), isWord) != "" {
			t.Errorf("%q was accepted as the password of someone of that name", password)
		}
	})
}
