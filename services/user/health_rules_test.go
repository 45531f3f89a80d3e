package user_test

import (
	"math"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/protobuf/proto"

	healthv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/health/v1"
	userv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/user/v1"
	"github.com/mindspace-app/mindspace/services/auth/authtest"
)

// female is somebody of an age, with nothing else told.
func female(age int32) *healthv1.Profile {
	return &healthv1.Profile{Sex: healthv1.Sex_SEX_FEMALE, AgeYears: &age}
}

func male() *healthv1.Profile {
	return &healthv1.Profile{Sex: healthv1.Sex_SEX_MALE, AgeYears: new(int32(31))}
}

func weighing(age int32, kg float64) *healthv1.Profile {
	p := female(age)
	p.WeightKg = &kg
	return p
}

func tall(age int32, cm float64) *healthv1.Profile {
	p := female(age)
	p.HeightCm = &cm
	return p
}

func born(date string) *healthv1.Profile { return &healthv1.Profile{BirthDate: date} }

func with(p *healthv1.Profile, status healthv1.PregnancyStatus, trimester ...int32) *healthv1.Profile {
	p.Pregnancy = &healthv1.Pregnancy{Status: status}
	if len(trimester) > 0 {
		p.Pregnancy.Trimester = &trimester[0]
	}
	return p
}

func living(l *healthv1.Lifestyle) *healthv1.Profile { return &healthv1.Profile{Lifestyle: l} }

func eating(amount float64) *healthv1.Profile {
	return &healthv1.Profile{DietaryIntake: []*healthv1.NutrientAmount{{Nutrient: &healthv1.Term{Text: "calcium"}, Amount: &amount, Unit: "mg"}}}
}

func taking(amount float64) *healthv1.Profile {
	return &healthv1.Profile{CurrentIntakes: []*healthv1.CurrentIntake{{Supplement: &healthv1.Term{Code: "zinc"}, Amount: &amount, Unit: "scoop"}}}
}

func measured(code string, value float64) *healthv1.Profile {
	return &healthv1.Profile{Labs: []*healthv1.Lab{{Code: code, Value: &value, Unit: "furlongs"}}}
}

func having(terms ...*healthv1.Term) *healthv1.Profile { return &healthv1.Profile{Conditions: terms} }

func onDay(years, days int) string {
	return time.Now().UTC().AddDate(years, 0, days).Format(time.DateOnly)
}

const (
	none      = healthv1.PregnancyStatus_PREGNANCY_STATUS_NONE
	trying    = healthv1.PregnancyStatus_PREGNANCY_STATUS_TRYING
	pregnant  = healthv1.PregnancyStatus_PREGNANCY_STATUS_PREGNANT
	lactating = healthv1.PregnancyStatus_PREGNANCY_STATUS_LACTATING
)

// healthRules are profiles, and the field that is wrong in each; "" for those that are taken.
var healthRules = []struct {
	name    string
	profile *healthv1.Profile
	field   string
}{
	{"nothing told", &healthv1.Profile{}, ""},
	{"a new-born", female(0), ""},
	{"an age of 120", female(120), ""},
	{"an age of 121", female(121), "profile.ageYears"},
	{"a negative age", female(-1), "profile.ageYears"},
	{"a sex that is none", &healthv1.Profile{Sex: 9}, "profile.sex"},
	{"a diet that is none", &healthv1.Profile{Diet: 99}, "profile.diet"},

	{"a birth date", born("1995-02-28"), ""},
	{"born on a leap day", born("1996-02-29"), ""},
	{"born on the leap day of 2000", born("2000-02-29"), ""},
	{"born today", born(onDay(0, 0)), ""},
	{"born tomorrow", born(onDay(0, 2)), "profile.birthDate"},
	{"120 years old", born(onDay(-120, 0)), ""},
	{"on the last day of 120", born(onDay(-121, 1)), ""},
	{"121 years old", born(onDay(-121, -1)), "profile.birthDate"},
	{"a leap day in no leap year", born("1995-02-29"), "profile.birthDate"},
	{"30 February", born("1996-02-30"), "profile.birthDate"},
	{"31 April", born("1995-04-31"), "profile.birthDate"},
	{"month 13", born("1995-13-01"), "profile.birthDate"},
	{"day 0", born("1995-01-00"), "profile.birthDate"},
	{"the day first", born("28.02.1995"), "profile.birthDate"},
	{"a date without zeros", born("1995-2-28"), "profile.birthDate"},
	{"a time", born("1995-02-28T00:00:00Z"), "profile.birthDate"},
	{"a date with a line end", born("1995-02-28\n"), "profile.birthDate"},
	{"a word", born("yesterday"), "profile.birthDate"},

	{"a usual weight", weighing(31, 63), ""},
	{"weight 0", weighing(31, 0), "profile.weightKg"},
	{"weight 0.8", weighing(31, 0.8), "profile.weightKg"},
	{"weight 900", weighing(31, 900), "profile.weightKg"},
	{"a negative weight", weighing(31, -63), "profile.weightKg"},
	{"no number as weight", weighing(31, math.NaN()), "profile.weightKg"},
	{"an infinite weight", weighing(31, math.Inf(1)), "profile.weightKg"},
	{"a decimal slipped", weighing(31, 6.3), "profile.weightKg"},
	{"the heaviest", weighing(37, 635), ""},
	{"two years and 12 kg", weighing(2, 12), ""},
	{"two years and 80 kg", weighing(2, 80), "profile.weightKg"},
	{"five years and 80 kg", weighing(5, 80), ""},
	{"nine years and 94 kg", weighing(9, 94), ""},
	{"nine years and 300 kg", weighing(9, 300), "profile.weightKg"},
	{"an infant of 3.4 kg", weighing(0, 3.4), ""},
	{"an infant of 60 kg", weighing(0, 60), "profile.weightKg"},
	{"80 kg at two by birth date", &healthv1.Profile{BirthDate: onDay(-2, -30), WeightKg: new(80.0)}, "profile.weightKg"},
	{"12 kg at two by birth date", &healthv1.Profile{BirthDate: onDay(-2, -30), WeightKg: new(12.0)}, ""},
	{"the birth date wins over the age", &healthv1.Profile{BirthDate: onDay(-2, -30), AgeYears: new(int32(30)), WeightKg: new(80.0)}, "profile.weightKg"},
	{"3.4 kg of unknown age", &healthv1.Profile{WeightKg: new(3.4)}, ""},
	{"900 kg of unknown age", &healthv1.Profile{WeightKg: new(900.0)}, "profile.weightKg"},
	{"0.8 kg of unknown age", &healthv1.Profile{WeightKg: new(0.8)}, "profile.weightKg"},

	{"a usual height", tall(31, 168), ""},
	{"height 1.8 cm", tall(31, 1.8), "profile.heightCm"},
	{"height 0", tall(31, 0), "profile.heightCm"},
	{"height 300 cm", tall(31, 300), "profile.heightCm"},
	{"no number as height", tall(31, math.NaN()), "profile.heightCm"},
	{"the tallest", tall(22, 272), ""},
	{"the shortest", tall(72, 54.6), ""},
	{"two years and 86 cm", tall(2, 86), ""},
	{"two years and 168 cm", tall(2, 168), "profile.heightCm"},
	{"an infant of 50 cm", tall(0, 50), ""},
	{"1.8 cm of unknown age", &healthv1.Profile{HeightCm: new(1.8)}, "profile.heightCm"},
	{"weight and height", &healthv1.Profile{WeightKg: new(63.0), HeightCm: new(168.0)}, ""},
	{"weight and height of an infant", &healthv1.Profile{AgeYears: new(int32(0)), WeightKg: new(3.4), HeightCm: new(50.0)}, ""},
	{"weight and height swapped", &healthv1.Profile{WeightKg: new(168.0), HeightCm: new(63.0)}, "profile.weightKg"},

	{"pregnant", with(female(31), pregnant, 2), ""},
	{"pregnant, no trimester", with(female(31), pregnant), ""},
	{"pregnant at ten", with(female(10), pregnant), ""},
	{"lactating at 65", with(female(65), lactating), ""},
	{"pregnant at six", with(female(6), pregnant), "profile.pregnancy.status"},
	{"pregnant at six by birth date", with(born(onDay(-6, -30)), pregnant), "profile.pregnancy.status"},
	{"trying at nine", with(female(9), trying), "profile.pregnancy.status"},
	{"lactating at 80", with(female(80), lactating), "profile.pregnancy.status"},
	{"not pregnant at six", with(female(6), none), ""},
	{"male and pregnant", with(male(), pregnant), "profile.pregnancy.status"},
	{"male and lactating", with(male(), lactating), "profile.pregnancy.status"},
	{"male and trying", with(male(), trying), "profile.pregnancy.status"},
	{"male and not pregnant", with(male(), none), ""},
	{"pregnant, nothing else told", with(&healthv1.Profile{}, pregnant, 1), ""},
	{"trimester 0", with(female(31), pregnant, 0), "profile.pregnancy.trimester"},
	{"trimester 4", with(female(31), pregnant, 4), "profile.pregnancy.trimester"},
	{"a trimester, lactating", with(female(31), lactating, 2), "profile.pregnancy.trimester"},
	{"a trimester, no status", with(female(31), 0, 2), "profile.pregnancy.trimester"},
	{"a status that is none", with(female(31), 17), "profile.pregnancy.status"},

	{"habits", living(&healthv1.Lifestyle{CaffeineMgPerDay: new(200.0), TrainingHoursPerWeek: new(5.0), FishPortionsPerWeek: new(1.0), EventDurationHours: new(0.0), SleepHoursPerNight: new(7.5)}), ""},
	{"a negative amount of caffeine", living(&healthv1.Lifestyle{CaffeineMgPerDay: new(-1.0)}), "profile.lifestyle.caffeineMgPerDay"},
	{"a deadly amount of caffeine", living(&healthv1.Lifestyle{CaffeineMgPerDay: new(20_000.0)}), "profile.lifestyle.caffeineMgPerDay"},
	{"caffeine that is no number", living(&healthv1.Lifestyle{CaffeineMgPerDay: new(math.NaN())}), "profile.lifestyle.caffeineMgPerDay"},
	{"training all week", living(&healthv1.Lifestyle{TrainingHoursPerWeek: new(168.0)}), "profile.lifestyle.trainingHoursPerWeek"},
	{"fish all day", living(&healthv1.Lifestyle{FishPortionsPerWeek: new(500.0)}), "profile.lifestyle.fishPortionsPerWeek"},
	{"an event of a year", living(&healthv1.Lifestyle{EventDurationHours: new(8766.0)}), "profile.lifestyle.eventDurationHours"},
	{"a ride across a continent", living(&healthv1.Lifestyle{EventDurationHours: new(288.0)}), ""},
	{"25 hours of sleep", living(&healthv1.Lifestyle{SleepHoursPerNight: new(25.0)}), "profile.lifestyle.sleepHoursPerNight"},

	{"an intake of nothing", eating(0), ""},
	{"a negative intake", eating(-1), "profile.dietaryIntake[0].amount"},
	{"an infinite intake", eating(math.Inf(1)), "profile.dietaryIntake[0].amount"},
	{"an intake that is no number", eating(math.NaN()), "profile.dietaryIntake[0].amount"},
	{"a hundred billion of bacteria", taking(1e11), ""},
	{"a negative supplement", taking(-1), "profile.currentIntakes[0].amount"},
	{"a supplement that is no number", taking(math.NaN()), "profile.currentIntakes[0].amount"},
	{"a negative nutrient on a label", &healthv1.Profile{CurrentIntakes: []*healthv1.CurrentIntake{{
		Supplement: &healthv1.Term{Text: "multi"}, Nutrients: []*healthv1.NutrientAmount{{Nutrient: &healthv1.Term{Text: "zinc"}, Amount: new(-40.0)}},
	}}}, "profile.currentIntakes[0].nutrients[0].amount"},
	{"no supplement", &healthv1.Profile{CurrentIntakes: []*healthv1.CurrentIntake{{}}}, "profile.currentIntakes[0].supplement"},

	{"a lab value in an unknown unit", measured("ferritin", 9), ""},
	{"a lab value of zero", measured("crp", 0), ""},
	{"a lab value below zero", measured("base excess", -2), ""},
	{"an unknown lab code", measured("25(OH)D", 40), ""},
	{"an infinite lab value", measured("ferritin", math.Inf(-1)), "profile.labs[0].value"},
	{"a lab value that is no number", measured("ferritin", math.NaN()), "profile.labs[0].value"},
	{"no lab code", measured("", 9), "profile.labs[0].code"},
	{"a blank lab code", measured("  ", 9), "profile.labs[0].code"},

	{"words", having(&healthv1.Term{Text: "deep vein thrombosis"}), ""},
	{"words in Cyrillic", having(&healthv1.Term{Text: "тромбоза"}), ""},
	{"an unknown code", having(&healthv1.Term{Code: "E11.9"}), ""},
	{"no term", having(&healthv1.Term{Text: "asthma"}, &healthv1.Term{}), "profile.conditions[1].text"},
	{"a blank term", having(&healthv1.Term{Text: " \t\u00a0"}), "profile.conditions[0].text"},
	{"a code with blanks", having(&healthv1.Term{Code: "deep vein"}), "profile.conditions[0].code"},
	{"a blank code with words", having(&healthv1.Term{Code: " ", Text: "asthma"}), "profile.conditions[0].code"},
}

func TestHealthRules(t *testing.T) {
	t.Parallel()
	r := newRig(t, anyAge)
	ana := r.Register("ana@example.org")
	r.agrees(ana)
	stored := int64(0)
	for _, rule := range healthRules {
		res, err := r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{Profile: rule.profile})
		if rule.field == "" {
			if stored++; err != nil || res.GetRevision() != stored {
				t.Errorf("%s: %v, revision %d, want %d", rule.name, err, res.GetRevision(), stored)
			}
			continue
		}
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != rule.field {
			t.Errorf("%s: %v names %q, want %q", rule.name, err, wrongField(err), rule.field)
		}
		if bad := authtest.Detail[*errdetails.BadRequest](err); len(bad.GetFieldViolations()) > 1 && rule.name != "a status that is none" {
			t.Errorf("%s: %v says it twice", rule.name, bad.GetFieldViolations())
		}
	}
	if _, err := r.as(ana).UpdateHealthProfile(t.Context(), &userv1.UpdateHealthProfileRequest{
		Profile: &healthv1.Profile{}, Goals: []*healthv1.Term{{Text: "sleep"}, {Text: " "}},
	}); wrongField(err) != "goals[1].text" {
		t.Errorf("a blank goal: %v names %q", err, wrongField(err))
	}
	if got := r.health(ana); got.GetRevision() != stored || !proto.Equal(got.GetProfile(), healthRules[len(healthRules)-5].profile) {
		t.Errorf("what was refused is stored: %v", got)
	}
}
