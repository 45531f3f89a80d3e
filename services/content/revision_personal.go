package content

import "github.com/mindspace-app/mindspace/platform/personal"

// revisionsTable is what the revisions hold about members of staff: who wrote, reviewed and published them. They stay when somebody is erased, without them.
func revisionsTable() personal.Table {
	return personal.Table{
		Name: "content.revisions", What: "texts of the catalogue that members of staff have written, reviewed or published",
		NotExported: "they are the catalogue's, and say nothing of you but that you have worked on them",
		Mentions:    []personal.Mention{{Column: "author_id"}, {Column: "reviewer_id"}, {Column: "publisher_id"}},
	}
}

// revisionsRule says how long they are kept.
func revisionsRule() personal.Rule {
	return personal.Rule{What: "revisions of texts", Table: "content.revisions", Keep: -1, Why: "they are the history of the catalogue: what readers were shown, and when"}
}
