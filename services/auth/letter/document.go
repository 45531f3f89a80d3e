package letter

import (
	_ "embed" // the layouts
	"fmt"
	htmltemplate "html/template"
	"strings"
	"text/template"
)

// document is a letter before it is laid out: each text exists once, for both forms.
type document struct {
	Language string // BCP 47
	Subject  string
	Greeting string
	Blocks   []block
	Footer   string
}

// block is a paragraph, or a link, or a code to be typed, or a list of details.
type block struct {
	Paragraph string
	Label     string // of the link
	Link      string
	Code      string
	Details   []detail
}

type detail struct{ Name, Value string }

func (d *document) say(paragraph string) {
	d.Blocks = append(d.Blocks, block{Paragraph: paragraph})
}

// offer adds the link, and the token beside it when there is one.
func (d *document) offer(label, link, orCode, token string) {
	d.Blocks = append(d.Blocks, block{Label: label, Link: link})
	if token != "" {
		d.Blocks = append(d.Blocks, block{Paragraph: orCode}, block{Code: token})
	}
}

//go:embed layout.txt
var textSource string

//go:embed layout.html
var htmlSource string

var (
	textLayout = template.Must(template.New("text").Parse(textSource))
	htmlLayout = htmltemplate.Must(htmltemplate.New("html").Parse(htmlSource))
)

func (d *document) render() (Rendered, error) {
	var text, html strings.Builder
	if err := textLayout.Execute(&text, d); err != nil {
		return Rendered{}, fmt.Errorf("letter: lay out as text: %w", err)
	}
	if err := htmlLayout.Execute(&html, d); err != nil {
		return Rendered{}, fmt.Errorf("letter: lay out as HTML: %w", err)
	}
	return Rendered{Subject: d.Subject, Text: text.String(), HTML: html.String()}, nil
}
