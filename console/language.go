package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/mindspace-app/mindspace/console/view"
	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// texts are the words of the pages in one language.
type texts struct {
	Heading, Lead, Search, SearchLabel, None, Call, More, Alone, Minutes string
	Failed, Broken, Nowhere, Away, TooMuch, Back, Again                  string
	// TooMuchUntil says in how many seconds or minutes to come back.
	TooMuchUntil, Seconds string
	Levels                map[contentv1.Level]string
}

var languageNames = map[string]string{locale.English: "English", locale.Russian: "Русский", locale.Serbian: "Srpski"}

var byLanguage = map[string]texts{
	locale.English: {
		Heading: "Mind Space is running", Lead: "This is the catalogue that apps see: guided practices for rest, focus and movement.",
		Search: "Search", SearchLabel: "Find a practice", None: "Nothing matches these words. Try fewer or other ones.", Call: "The same over the API",
		More: "More", Alone: "On their own", Minutes: "min",
		Failed: "This did not work", Broken: "The problem is on our side and has been noted. Please try again in a moment.",
		Nowhere: "This address leads nowhere (any more). Start again from the beginning.",
		Away:    "A part of the system is away. It comes back by itself; try again in a few seconds.",
		TooMuch: "That was a lot at once. Take a breath and try again in a moment.", Back: "Back to the start", Again: "Try again",
		TooMuchUntil: "That was a lot at once. Take a breath and try again in %s.", Seconds: "sec",
		Levels: map[contentv1.Level]string{contentv1.Level_LEVEL_BEGINNER: "beginner", contentv1.Level_LEVEL_INTERMEDIATE: "intermediate", contentv1.Level_LEVEL_ADVANCED: "advanced"},
	},
	locale.Russian: {
		Heading: "Mind Space запущен", Lead: "Это каталог, который видят приложения: практики для отдыха, внимания и движения.",
		Search: "Найти", SearchLabel: "Поиск практик", None: "По этим словам ничего не нашлось. Попробуйте меньше слов или другие.", Call: "То же самое через API",
		More: "Ещё", Alone: "Отдельные практики", Minutes: "мин",
		Failed: "Не получилось", Broken: "Проблема на нашей стороне, мы её записали. Попробуйте ещё раз чуть позже.",
		Nowhere: "Этот адрес никуда (больше) не ведёт. Начните сначала.",
		Away:    "Часть системы сейчас недоступна. Она вернётся сама; попробуйте через несколько секунд.",
		TooMuch: "Слишком много запросов подряд. Сделайте вдох и попробуйте чуть позже.", Back: "На главную", Again: "Попробовать ещё раз",
		TooMuchUntil: "Слишком много запросов подряд. Сделайте вдох и попробуйте снова через %s.", Seconds: "сек",
		Levels: map[contentv1.Level]string{contentv1.Level_LEVEL_BEGINNER: "для начинающих", contentv1.Level_LEVEL_INTERMEDIATE: "средний уровень", contentv1.Level_LEVEL_ADVANCED: "для опытных"},
	},
	locale.Serbian: {
		Heading: "Mind Space radi", Lead: "Ovo je katalog koji aplikacije vide: vođene prakse za odmor, pažnju i pokret.",
		Search: "Traži", SearchLabel: "Pretraga praksi", None: "Ništa ne odgovara ovim rečima. Probajte sa manje reči ili sa drugim.", Call: "Isto to preko API-ja",
		More: "Još", Alone: "Zasebne prakse", Minutes: "min",
		Failed: "Ovo nije uspelo", Broken: "Problem je na našoj strani i zabeležen je. Pokušajte ponovo za koji trenutak.",
		Nowhere: "Ova adresa (više) ne vodi nikuda. Počnite ispočetka.",
		Away:    "Deo sistema trenutno nije dostupan. Vratiće se sam; pokušajte za nekoliko sekundi.",
		TooMuch: "Previše zahteva odjednom. Udahnite i pokušajte malo kasnije.", Back: "Na početak", Again: "Pokušaj ponovo",
		TooMuchUntil: "Previše zahteva odjednom. Udahnite i pokušajte ponovo za %s.", Seconds: "sek",
		Levels: map[contentv1.Level]string{contentv1.Level_LEVEL_BEGINNER: "početni nivo", contentv1.Level_LEVEL_INTERMEDIATE: "srednji nivo", contentv1.Level_LEVEL_ADVANCED: "napredni nivo"},
	},
}

// languageFor is the language chosen on the page, else the browser's first choice that we speak.
func languageFor(r *http.Request) string {
	if chosen := r.URL.Query().Get("lang"); chosen != "" {
		return locale.Of(chosen)
	}
	for accepted := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(accepted), ";")
		if found := locale.Of(tag); found != locale.English || strings.HasPrefix(strings.ToLower(tag), "en") {
			return found
		}
	}
	return locale.English
}

func textsFor(r *http.Request) texts { return byLanguage[languageFor(r)] }

// pageFor is what every page shows around its content.
func (c *Console) pageFor(r *http.Request, at place, title string) view.Page {
	page := view.Page{Version: url.QueryEscape(c.version), Title: title, Locale: languageFor(r), Home: place{path: "/"}.url(r, languageFor(r))}
	for _, code := range locale.All() {
		page.Languages = append(page.Languages, view.Language{Code: code, Name: languageNames[code], URL: at.url(r, code), Current: code == page.Locale})
	}
	return page
}

func moreQuery(query, language, token string) string {
	values := url.Values{"lang": {language}, "page": {token}}
	if query != "" {
		values.Set("q", query)
	}
	return values.Encode()
}
