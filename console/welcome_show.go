package console

import (
	"net/http"
	"strconv"
	"unicode/utf8"

	"github.com/mindspace-app/mindspace/console/view"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1/contentv1connect"
)

// maxQuery is how many characters of a search the page passes on; the contract takes no more.
const maxQuery = 200

// welcomeShow is what a newcomer sees first: the catalogue, in their language, searchable.
func (c *Console) welcomeShow(r *http.Request) (answer, error) {
	text := textsFor(r)
	page := c.pageFor(r, atStart, text.Heading)
	query := firstCharacters(r.URL.Query().Get("q"), maxQuery)
	props := view.Welcome{
		Page: page, Heading: text.Heading, Lead: text.Lead, Search: text.Search, SearchLabel: text.SearchLabel, Query: query, None: text.None, Call: text.Call,
		Command: "curl -d '{}' -H 'content-type: application/json' \\\n  http://" + r.Host + contentv1connect.ContentServiceListMeditationsProcedure,
	}
	found, next, err := c.find(r, query, page.Locale)
	if err != nil {
		return answer{}, err
	}
	props.Groups = groups(found, text)
	if next != "" {
		props.More, props.MoreURL = text.More, "/?"+moreQuery(query, page.Locale, next)
	}
	return answer{page: view.WelcomePage(props)}, nil
}

// find asks for the whole first page of the catalogue, or for what matches the query.
func (c *Console) find(r *http.Request, query, language string) ([]*contentv1.Meditation, string, error) {
	token := r.URL.Query().Get("page")
	if query == "" {
		res, err := c.meditations.ListMeditations(r.Context(), &contentv1.ListMeditationsRequest{Locale: language, PageSize: 100, PageToken: token})
		return res.GetMeditations(), res.GetNextPageToken(), err
	}
	res, err := c.meditations.SearchMeditations(r.Context(), &contentv1.SearchMeditationsRequest{Query: query, Locale: language, PageSize: 50, PageToken: token})
	return res.GetMeditations(), res.GetNextPageToken(), err
}

// groups puts neighbours of the same course under its title, in the order they came.
func groups(found []*contentv1.Meditation, text texts) []view.Group {
	var all []view.Group
	last := "none yet"
	for _, m := range found {
		if m.GetCourseId() != last {
			last = m.GetCourseId()
			title := m.GetCourseTitle()
			if title == "" {
				title = text.Alone
			}
			all = append(all, view.Group{Title: title})
		}
		group := &all[len(all)-1]
		group.Items = append(group.Items, view.Item{
			Title: m.GetTitle(), Description: m.GetDescription(), Language: m.GetLocale(),
			Minutes: strconv.Itoa(int(m.GetDurationSeconds()+59)/60) + " " + text.Minutes, Level: text.Levels[m.GetLevel()],
		})
	}
	return all
}

// firstCharacters cuts a text to n characters.
func firstCharacters(text string, n int) string {
	for i := range text {
		if n == 0 {
			return text[:i]
		}
		n--
	}
	if !utf8.ValidString(text) {
		return ""
	}
	return text
}
