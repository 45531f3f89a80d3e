package letter

func english() language {
	l := language{
		tag:      "en",
		hello:    "Hello!",
		helloYou: "Hello, %s!",
		orCode:   "Or type this code into the app:",
		expires:  "This works once, and for %s.",
		hours:    forms{one: "%d hour", many: "%d hours", onlyOne: true},
		minutes:  forms{one: "%d minute", many: "%d minutes", onlyOne: true},
		advice: "If this was you, there is nothing to do. If it was not, set a new password now, which signs out all devices, " +
			"and look through your sign-in settings.",
		secure:  "Secure my account",
		when:    "Time",
		device:  "Device",
		place:   "Network",
		due:     "Erased on",
		receipt: "Receipt number",
		footer:  "Mind Space. This message was sent automatically, answers to it are not read.",
		alerts:  englishAlerts,
	}
	l.verify.subject = "Confirm your e-mail address"
	l.verify.why = "Somebody, most likely you, signed up for Mind Space with this e-mail address. Please confirm that it is yours."
	l.verify.action = "Confirm my address"
	l.verify.otherwise = "If it was not you, there is nothing to do."
	l.reset.subject = "Set a new password"
	l.reset.why = "We were asked for a new password for your Mind Space account."
	l.reset.action = "Set a new password"
	l.reset.otherwise = "If it was not you who asked, ignore this message: your password stays as it is."
	l.registered.subject = "You already have an account"
	l.registered.why = "Somebody, perhaps you, tried to sign up for Mind Space with this e-mail address. " +
		"You already have an account, so no other was made."
	l.registered.signIn = "Sign in"
	l.registered.forgotten = "If you have forgotten your password, you can set a new one."
	l.registered.action = "Set a new password"
	l.registered.otherwise = "If it was not you, there is nothing to do: nobody got into your account."
	l.erased.subject = "Everything about you was erased"
	l.erased.happened = "Your Mind Space account and everything that we held about you were erased, as was asked for."
	l.erased.backups = "Copies that were made before, in case of a failure, may still hold your data until %s. Then they are gone too."
	l.erased.receipt = "What was erased can be looked up with this receipt number. Please keep it: nothing else leads from you to the receipt any more."
	l.erased.last = "This is the last message that you get from us."
	return l
}

var englishAlerts = map[Kind]alertText{
	RefreshReuse: {
		"A device was signed out",
		"A sign-in key of your account was presented again after it had been used. This happens when a device is restored from an old " +
			"backup, or when somebody has copied the key. To be safe, we signed that device out.",
		"If you know the device, just sign in on it again. If you do not, set a new password now, which signs out all devices.",
	},
	PasswordChanged: {"Your password was changed", "The password of your account was changed.", ""},
	PasswordReset: {
		"Your password was reset",
		"A new password was set for your account through a message that we sent to this address. All devices were signed out.", "",
	},
	TOTPEnabled: {
		"Codes from an app are now needed to sign in",
		"An authenticator app was added to your account. Signing in now needs a code from it.", "",
	},
	TOTPDisabled: {
		"Codes from an app are no longer needed to sign in",
		"The authenticator app was removed from your account. Signing in no longer needs a code from it.", "",
	},
	RecoveryCodeUsed: {
		"A recovery code was used",
		"One of your recovery codes was used to sign in to your account. It will not work again.", "",
	},
	RecoveryCodesRenewed: {
		"You have new recovery codes",
		"New recovery codes were made for your account. The old ones no longer work.", "",
	},
	PasskeyAdded:   {"A passkey was added", "A passkey was added to your account. It can be used to sign in.", ""},
	PasskeyRemoved: {"A passkey was removed", "A passkey was removed from your account. It can no longer be used to sign in.", ""},
	IdentityLinked: {
		"Another way to sign in was added",
		"An account with another provider was linked to your account. It can be used to sign in.", "",
	},
	IdentityUnlinked: {
		"A way to sign in was removed",
		"An account with another provider was unlinked from your account. It can no longer be used to sign in.", "",
	},
	SessionsEnded: {"All devices were signed out", "Your account was signed out on all devices.", ""},
	FactorsReset: {
		"Your second factors were removed",
		"Our staff removed the second factors of your account, as is done for people who have lost theirs. " +
			"Please set up new ones when you next sign in.",
		"If you did not ask for this, set a new password now and write to our support.",
	},
	AccountSuspended: {
		"Your account was suspended",
		"Our staff suspended your account. All devices were signed out, and nobody can sign in to it for the time being.",
		"If you think that this is a mistake, write to our support.",
	},
	AccountResumed: {"Your account can be used again", "Our staff ended the suspension of your account. You can sign in again.", "If you have questions, write to our support."},
	ErasureRequested: {
		"Your account will be erased",
		"We were asked to erase your account and everything that we hold about you. All devices were signed out.",
		"If you change your mind, or did not ask for this, sign in before then: that calls it off. " +
			"If it was not you, set a new password as well. Keep the receipt number: with it you can see afterwards what was erased.",
	},
	ErasureCancelled: {
		"Your account will not be erased",
		"The erasure of your account was called off, by a sign-in or by our staff. Everything is as it was.", "",
	},
	NewDevice: {"New sign-in to your account", "Somebody signed in to your account from a network that it was not used on before.", ""},
}
