package content

import (
	"strings"

	contentv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/content/v1"
	"github.com/mindspace-app/mindspace/platform/locale"
)

// reasons are the sentences of a language.
type reasons struct {
	// next has the title of the course in the place of {course}.
	next      string
	favourite string
	times     map[contentv1.TimeOfDay]string
	any       string
}

var reasonTexts = map[string]reasons{
	locale.English: {
		next:      "The next one of “{course}”, which you have begun.",
		favourite: "One of your favourites.",
		times: map[contentv1.TimeOfDay]string{
			contentv1.TimeOfDay_TIME_OF_DAY_MORNING: "It goes well with the morning.",
			contentv1.TimeOfDay_TIME_OF_DAY_DAY:     "It fits into the middle of the day.",
			contentv1.TimeOfDay_TIME_OF_DAY_EVENING: "It goes well with the evening.",
			contentv1.TimeOfDay_TIME_OF_DAY_NIGHT:   "It is for the night.",
		},
		any: "It is good at any time.",
	},
	locale.Russian: {
		next:      "Следующая практика курса «{course}», который вы начали.",
		favourite: "Одна из ваших любимых практик.",
		times: map[contentv1.TimeOfDay]string{
			contentv1.TimeOfDay_TIME_OF_DAY_MORNING: "Хорошо подходит для утра.",
			contentv1.TimeOfDay_TIME_OF_DAY_DAY:     "Найдёт место посреди дня.",
			contentv1.TimeOfDay_TIME_OF_DAY_EVENING: "Хорошо подходит для вечера.",
			contentv1.TimeOfDay_TIME_OF_DAY_NIGHT:   "Практика на ночь.",
		},
		any: "Подходит в любое время.",
	},
	locale.Serbian: {
		next:      "Sledeća vežba kursa „{course}“, koji ste započeli.",
		favourite: "Jedna od vaših omiljenih vežbi.",
		times: map[contentv1.TimeOfDay]string{
			contentv1.TimeOfDay_TIME_OF_DAY_MORNING: "Prija ujutru.",
			contentv1.TimeOfDay_TIME_OF_DAY_DAY:     "Uklapa se u sredinu dana.",
			contentv1.TimeOfDay_TIME_OF_DAY_EVENING: "Prija uveče.",
			contentv1.TimeOfDay_TIME_OF_DAY_NIGHT:   "Vežba za noć.",
		},
		any: "Prija u svako doba.",
	},
}

// reasonText says in a language why something is proposed.
func reasonText(language string, p proposal, now contentv1.TimeOfDay) string {
	texts := reasonTexts[language]
	switch p.reason {
	case contentv1.ForNowReason_FOR_NOW_REASON_NEXT_IN_COURSE:
		return strings.ReplaceAll(texts.next, "{course}", p.meditation.GetCourseTitle())
	case contentv1.ForNowReason_FOR_NOW_REASON_FAVOURITE:
		return texts.favourite
	case contentv1.ForNowReason_FOR_NOW_REASON_TIME_OF_DAY:
		return texts.times[now]
	default:
		return texts.any
	}
}
