package user

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// defaultAge is what article 8 (1) of the GDPR asks for where no law of the country says less.
const defaultAge = 16

// Ages are the ages, in whole years, from which on a person's health data is taken.
type Ages struct {
	// Default holds for countries that are not named, and for people who have not told theirs; 0 means 16.
	Default int
	// ByCountry by ISO 3166-1 alpha-2 code.
	ByCountry map[string]int
}

// DefaultAges are the ages from which on a person consents for themselves to what an online service does with their data: article 8 (1) of the
// GDPR and the laws by which countries have set an age of their own between 13 and 16, as they stood in 2025 and as far as they are known for sure;
// 16 everywhere else.
func DefaultAges() Ages {
	return Ages{Default: defaultAge, ByCountry: map[string]int{
		"AT": 14, // Datenschutzgesetz, § 4 (4)
		"BE": 13, // Loi du 30 juillet 2018 relative à la protection des personnes physiques, art. 7
		"BG": 14, // Zakon za zashtita na lichnite danni, art. 25c
		"CY": 14, // Law 125(I)/2018, s. 8
		"CZ": 15, // Zákon č. 110/2019 Sb., § 7
		"DK": 15, // Databeskyttelsesloven, § 6, as amended from 2024 on (13 before)
		"EE": 13, // Isikuandmete kaitse seadus, § 8
		"ES": 14, // Ley Orgánica 3/2018, art. 7
		"FI": 13, // Tietosuojalaki 1050/2018, § 5
		"FR": 15, // Loi n° 78-17 du 6 janvier 1978, art. 45
		"GB": 13, // Data Protection Act 2018, s. 9
		"GR": 15, // Law 4624/2019, art. 21
		"IS": 13, // Lög nr. 90/2018, art. 10
		"IT": 14, // Codice in materia di protezione dei dati personali, art. 2-quinquies
		"LT": 14, // Asmens duomenų teisinės apsaugos įstatymas, art. 6
		"LV": 13, // Fizisko personu datu apstrādes likums, s. 33
		"MT": 13, // Processing of Child's Personal Data (Information Society Services) Regulations, S.L. 586.11
		"NO": 13, // Personopplysningsloven, § 5
		"PT": 13, // Lei n.º 58/2019, art. 16
		"RS": 15, // Zakon o zaštiti podataka o ličnosti, art. 16
		"SE": 13, // Lag (2018:218), chapter 2, § 4
		"SI": 15, // Zakon o varstvu osebnih podatkov (ZVOP-2), art. 8
	}}
}

// Of is the age for a country; "" is one that was not told.
func (a Ages) Of(country string) int {
	if age, found := a.ByCountry[country]; found {
		return age
	}
	if a.Default == 0 {
		return defaultAge
	}
	return a.Default
}

// String writes the ages as [ParseAges] reads them.
func (a Ages) String() string {
	parts := []string{strconv.Itoa(a.Of(""))}
	for _, country := range slices.Sorted(maps.Keys(a.ByCountry)) {
		parts = append(parts, country+"="+strconv.Itoa(a.ByCountry[country]))
	}
	return strings.Join(parts, ",")
}

var countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)

// ParseAges reads ages as an operator writes them: "16,RS=15,DE=16", first the one that holds where no other does. What is not named there has
// that one: the text stands for itself, nothing of [DefaultAges] is added. Its errors say which part is wrong.
func ParseAges(text string) (Ages, error) {
	first, rest, more := strings.Cut(text, ",")
	age, err := parseAge(first)
	if err != nil {
		return Ages{}, fmt.Errorf("the first part is the age for all other countries, as in \"16,RS=15\": %w", err)
	}
	ages := Ages{Default: age, ByCountry: map[string]int{}}
	if !more {
		return ages, nil
	}
	for part := range strings.SplitSeq(rest, ",") {
		country, number, found := strings.Cut(strings.TrimSpace(part), "=")
		country = strings.TrimSpace(country)
		if !found || !countryPattern.MatchString(country) {
			return Ages{}, fmt.Errorf("%q is not a country and its age, as in \"RS=15\"", part)
		}
		if _, twice := ages.ByCountry[country]; twice {
			return Ages{}, fmt.Errorf("%s is there twice", country)
		}
		if ages.ByCountry[country], err = parseAge(number); err != nil {
			return Ages{}, fmt.Errorf("%s: %w", country, err)
		}
	}
	return ages, nil
}

// parseAge reads one age. One of 0 would be none, and above 21 nobody has come of age: both are taken for mistakes.
func parseAge(text string) (int, error) {
	age, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || age < 1 || age > 21 {
		return 0, fmt.Errorf("%q is not an age from 1 to 21", text)
	}
	return age, nil
}
