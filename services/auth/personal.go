package auth

import "github.com/mindspace-app/mindspace/platform/personal"

// Personal is what sign-in holds about a person, and how long. Nothing of it is in a cache by person.
func Personal() personal.Domain {
	return personal.Domain{
		Name: "auth",
		// The account comes last: the others refer to it.
		Tables: append(signInTables(), personal.Table{
			Name: "auth.security_events", What: "what happened to your account", Owner: "account_id", Order: "id",
		}, personal.Table{
			Name: "auth.staff_roles", What: "roles that you have as a member of staff", Owner: "account_id", Order: "role",
			Secret:   []string{"granted_by"}, // somebody else's id
			Mentions: []personal.Mention{{Column: "granted_by"}},
		}, personal.Table{
			Name: "auth.partner_keys", What: "keys of other systems, made by members of staff", Mentions: []personal.Mention{{Column: "created_by"}},
		}, personal.Table{
			Name: "auth.erasures", What: "erasures that were asked for", Owner: "account_id", Order: "requested_at, id",
			Kept: "the receipt stays; it names you until what requests under way had written is swept up too, half an hour later at most, unless a job about you runs",
		}, personal.Table{
			Name: "auth.accounts", What: "how you are reached and addressed", Owner: "id", Secret: []string{"password_hash", "outdated_at"},
		}),
		Rules: rules(),
	}
}

// signInTables are about how a person proves who they are.
func signInTables() []personal.Table {
	return []personal.Table{
		{
			Name: "auth.sessions", What: "devices that are or were signed in", Owner: "account_id", Order: "created_at, id",
			Secret: []string{"secret_hash", "generation", "rotated_at"},
		},
		{Name: "auth.known_networks", What: "networks that you have signed in from", Owner: "account_id", Order: "network"},
		{Name: "auth.email_tokens", What: "letters with a token in them that are under way", Owner: "account_id", Order: "created_at, hash", Secret: []string{"hash"}},
		{Name: "auth.totps", What: "your authenticator app", Owner: "account_id", Secret: []string{"secret", "last_step"}},
		{Name: "auth.recovery_codes", What: "recovery codes that are left", Owner: "account_id", Order: "created_at, hash", Secret: []string{"hash"}},
		{Name: "auth.passkeys", What: "your passkeys", Owner: "account_id", Order: "created_at, credential_id", Secret: []string{"credential"}},
		{
			Name: "auth.challenges", What: "sign-ins that are half done", Owner: "account_id",
			NotExported: "they are gone within minutes, and say nothing but that you are signing in",
		},
		{Name: "auth.identities", What: "accounts at other providers that you sign in with", Owner: "account_id", Order: "provider"},
		{
			Name: "auth.oidc_flows", What: "sign-ins with other providers that are half done", Owner: "account_id",
			NotExported: "they are gone within minutes, and say nothing but that you are adding a provider",
		},
	}
}
