// Command commonpasswords makes the list of package services/auth/password: it reads lists of common passwords, one a line, most
// common or not, and writes what matters where passwords have at least ten characters. NOTICE.md of that package tells how it is run.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mindspace-app/mindspace/services/auth/password"
)

// minBase is how long what is left of a password without the digits and signs at its end has to be.
const minBase = 6

// own are words that somebody who guesses passwords of this product tries.
var own = []string{"mindspace", "meditation", "meditacija", "медитация", "пароль", "lozinka", "лозинка"}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "commonpasswords:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	found := map[string]bool{}
	for _, word := range own {
		found[word] = true
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		text := strings.ToLower(password.Normalise(strings.TrimSpace(lines.Text())))
		if !utf8.ValidString(text) || strings.Contains(text, "пїѕ") { // what decoding it twice has left of an unknown character
			continue
		}
		base := strings.TrimRightFunc(text, func(r rune) bool { return !unicode.IsLetter(r) })
		if utf8.RuneCountInString(base) >= minBase {
			found[base] = true
		} else if utf8.RuneCountInString(text) >= password.MinLength {
			found[text] = true
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	list := make([]string, 0, len(found))
	for text := range found {
		list = append(list, text)
	}
	slices.Sort(list)
	_, err := io.WriteString(out, strings.Join(list, "\n")+"\n")
	return err
}
