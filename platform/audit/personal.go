package audit

import "github.com/mindspace-app/mindspace/platform/personal"

// Personal is what the audit log holds about a person. Its records stay, as each holds the next in place; deleting the person's key makes what they say
// unreadable: neither can it be read any more, nor can anyone tell it from the database again. Copies of the key in backups and in the write-ahead log
// last as long as those are kept.
//
// A person gets to know what was done to what is theirs, and when. Not which member of staff did it, nor from where: that is about somebody else.
// The values before and after are in the tables that they come from, and the reasons beside them are staff's.
func Personal() personal.Domain {
	return personal.Domain{
		Name: "audit",
		Tables: []personal.Table{
			{
				Name: "audit.records", What: "what was done to your account and your data, and when", Owner: "person_id", Order: "id",
				Secret: []string{"actor_id", "actor_roles", "key_id", "before", "after", "request_id", "address_prefix"},
				Kept:   "records cannot be taken out of the log without breaking its proof; what they said of you was encrypted, and the key is destroyed",
				Mentions: []personal.Mention{
					{Column: "actor_id", Kept: "who did what stays provable; the id leads to nobody any more"},
					{Column: "subject_id", Kept: "what was done stays provable; the id leads to nobody any more"},
				},
			},
			{
				Name: "audit.person_keys", What: "the key that opens what the log says of you", Owner: "person_id",
				NotExported: "it opens nothing outside of this installation",
			},
		},
		Rules: []personal.Rule{
			{
				What: "records of who did what", Table: "audit.records", Keep: -1,
				Why: "for as long as the installation exists: each proves the ones before it; an erasure makes what they say of a person unreadable",
			},
			{
				What: "keys of what the log says of persons", Table: "audit.person_keys", Keep: -1,
				Why: "until the person is erased",
			},
		},
	}
}
