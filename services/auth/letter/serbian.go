package letter

// serbian is in Latin script and Ekavian.
func serbian() language {
	l := language{
		tag:      "sr-Latn",
		hello:    "Zdravo!",
		helloYou: "Zdravo, %s!",
		orCode:   "Ili unesite ovaj kod u aplikaciju:",
		expires:  "Može se iskoristiti jednom, rok važenja: %s.",
		hours:    forms{one: "%d sat", few: "%d sata", many: "%d sati"},
		minutes:  forms{one: "%d minut", few: "%d minuta", many: "%d minuta"},
		advice: "Ako ste to bili vi, ne treba ništa da radite. Ako niste, odmah postavite novu lozinku (time se odjavljuju svi uređaji) " +
			"i proverite podešavanja prijave.",
		secure:  "Zaštiti moj nalog",
		when:    "Vreme",
		device:  "Uređaj",
		place:   "Mreža",
		due:     "Biće obrisano",
		receipt: "Broj potvrde",
		footer:  "Mind Space. Ova poruka je poslata automatski, odgovore na nju niko ne čita.",
		alerts:  serbianAlerts,
	}
	l.verify.subject = "Potvrdite svoju adresu e-pošte"
	l.verify.why = "Neko, najverovatnije vi, napravio je nalog u aplikaciji Mind Space s ovom adresom. Molimo vas da potvrdite da je vaša."
	l.verify.action = "Potvrdi adresu"
	l.verify.otherwise = "Ako to niste bili vi, ne treba ništa da radite."
	l.reset.subject = "Postavite novu lozinku"
	l.reset.why = "Zatražena je nova lozinka za vaš Mind Space nalog."
	l.reset.action = "Postavi novu lozinku"
	l.reset.otherwise = "Ako je niste vi zatražili, zanemarite ovu poruku: lozinka ostaje ista."
	l.registered.subject = "Već imate nalog"
	l.registered.why = "Neko, možda vi, pokušao je da napravi nalog u aplikaciji Mind Space s ovom adresom. " +
		"Već imate nalog, pa drugi nije napravljen."
	l.registered.signIn = "Prijavi se"
	l.registered.forgotten = "Ako ste zaboravili lozinku, možete da postavite novu."
	l.registered.action = "Postavi novu lozinku"
	l.registered.otherwise = "Ako to niste bili vi, ne treba ništa da radite: niko nije ušao u vaš nalog."
	l.erased.subject = "Svi podaci o vama su obrisani"
	l.erased.happened = "Vaš Mind Space nalog i sve što smo čuvali o vama obrisani su, kao što je zatraženo."
	l.erased.backups = "Rezervne kopije napravljene ranije, za slučaj kvara, mogu sadržati vaše podatke do %s. Posle toga ni njih više nema."
	l.erased.receipt = "Pomoću ovog broja potvrde može se videti šta je obrisano. Sačuvajte ga: ništa drugo vas više ne povezuje s potvrdom."
	l.erased.last = "Ovo je poslednja poruka koju dobijate od nas."
	return l
}

var serbianAlerts = map[Kind]alertText{
	RefreshReuse: {
		"Jedan uređaj je odjavljen",
		"Ključ za prijavu na vaš nalog upotrebljen je ponovo, iako je već bio iskorišćen. To se događa kada se uređaj vrati " +
			"iz stare rezervne kopije ili kada je neko kopirao ključ. Iz predostrožnosti smo taj uređaj odjavili.",
		"Ako prepoznajete uređaj, samo se ponovo prijavite na njemu. Ako ne, odmah postavite novu lozinku: time se odjavljuju svi uređaji.",
	},
	PasswordChanged: {"Lozinka je promenjena", "Lozinka vašeg naloga je promenjena.", ""},
	PasswordReset: {
		"Postavljena je nova lozinka",
		"Za vaš nalog je postavljena nova lozinka pomoću poruke poslate na ovu adresu. Svi uređaji su odjavljeni.", "",
	},
	TOTPEnabled: {
		"Za prijavu je sada potreban kod iz aplikacije",
		"Vašem nalogu je dodata aplikacija za autentifikaciju. Za prijavu je sada potreban kod iz nje.", "",
	},
	TOTPDisabled: {
		"Za prijavu više nije potreban kod iz aplikacije",
		"Aplikacija za autentifikaciju je uklonjena s vašeg naloga. Kod iz nje više nije potreban za prijavu.", "",
	},
	RecoveryCodeUsed: {
		"Iskorišćen je rezervni kod",
		"Za prijavu na vaš nalog iskorišćen je jedan od rezervnih kodova. Taj kod više ne važi.", "",
	},
	RecoveryCodesRenewed: {
		"Imate nove rezervne kodove",
		"Za vaš nalog su napravljeni novi rezervni kodovi. Stari više ne važe.", "",
	},
	PasskeyAdded:   {"Dodat je pristupni ključ", "Vašem nalogu je dodat pristupni ključ (passkey). Njime je moguća prijava.", ""},
	PasskeyRemoved: {"Uklonjen je pristupni ključ", "S vašeg naloga je uklonjen pristupni ključ (passkey). Prijava njime više nije moguća.", ""},
	IdentityLinked: {
		"Dodat je još jedan način prijave",
		"S vašim nalogom je povezan nalog kod drugog servisa. Preko njega je moguća prijava.", "",
	},
	IdentityUnlinked: {
		"Uklonjen je jedan način prijave",
		"Nalog kod drugog servisa više nije povezan s vašim nalogom. Prijava preko njega više nije moguća.", "",
	},
	SessionsEnded: {"Svi uređaji su odjavljeni", "Vaš nalog je odjavljen na svim uređajima.", ""},
	FactorsReset: {
		"Drugi faktori su uklonjeni",
		"Naše osoblje je uklonilo druge faktore vašeg naloga, što se radi kada ih neko izgubi. " +
			"Molimo vas da pri sledećoj prijavi podesite nove.",
		"Ako to niste tražili, odmah postavite novu lozinku i pišite našoj podršci.",
	},
	AccountSuspended: {
		"Vaš nalog je suspendovan",
		"Naše osoblje je suspendovalo vaš nalog. Svi uređaji su odjavljeni i za sada se niko ne može prijaviti.",
		"Ako mislite da je to greška, pišite našoj podršci.",
	},
	AccountResumed: {"Vaš nalog ponovo može da se koristi", "Naše osoblje je ukinulo suspenziju vašeg naloga. Ponovo možete da se prijavite.", "Ako imate pitanja, pišite našoj podršci."},
	ErasureRequested: {
		"Vaš nalog će biti obrisan",
		"Zatraženo je brisanje vašeg naloga i svega što čuvamo o vama. Svi uređaji su odjavljeni.",
		"Ako se predomislite, ili to niste tražili, prijavite se pre tog vremena: time se brisanje opoziva. " +
			"Ako to niste bili vi, postavite i novu lozinku. Sačuvajte broj potvrde: pomoću njega posle možete da vidite šta je obrisano.",
	},
	ErasureCancelled: {
		"Brisanje naloga je opozvano",
		"Brisanje vašeg naloga je opozvano, prijavom ili od strane našeg osoblja. Sve je ostalo kako je bilo.", "",
	},
	NewDevice: {"Nova prijava na vaš nalog", "Neko se prijavio na vaš nalog s mreže koja do sada nije korišćena.", ""},
}
