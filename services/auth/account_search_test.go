package auth_test

import (
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/uuid"

	authv1 "github.com/mindspace-app/mindspace/gen/go/mindspace/auth/v1"
)

// called registers people by their names, and gives them addresses of their own.
func (r *rig) called(people ...[2]string) map[string]string {
	r.t.Helper()
	ids := map[string]string{}
	for _, one := range people {
		res, err := r.client.Register(r.from("192.0.2.1"), &authv1.RegisterRequest{Email: one[1], Password: goodPassword, DisplayName: one[0]})
		if err != nil {
			r.t.Fatal(err)
		}
		ids[one[1]] = res.GetUserId()
	}
	return ids
}

func TestSearchAccounts(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	support := r.supportAs(r.staff("support@example.org", "support"))
	ids := r.called(
		[2]string{"Ana Petrović", "ana.petrovic@example.com"}, [2]string{"Анна Петрова", "petrova@example.com"}, [2]string{"Ana-Marija O'Neill", "am@example.net"},
		[2]string{"", "a_b@example.com"}, [2]string{"", "axb@example.com"}, [2]string{"100% : & | ! <-> Zoë", "zoe@example.net"}, [2]string{"李 小龙", "li@example.net"},
		[2]string{"", "ivan@xn--e1afmkfd.xn--80akhbyknj4f"}, [2]string{"marko.kraljevic", "mk@example.net"},
	)
	for query, want := range map[string]string{
		ids["am@example.net"]:                  "am@example.net",
		strings.ToUpper(ids["am@example.net"]): "am@example.net",
		uuid.NewString():                       "",
		"ana.petrovic@example.com":             "ana.petrovic@example.com",
		"  ANA.Petrovic@Exam ":                 "ana.petrovic@example.com",
		"petrova@":                             "petrova@example.com",
		"a_b@":                                 "a_b@example.com",
		"%@":                                   "",
		`\@`:                                   "",
		"@":                                    "",
		"ivan@пример.испытание":                "ivan@xn--e1afmkfd.xn--80akhbyknj4f",
		"ana":                                  "am@example.net ana.petrovic@example.com",
		"PET ANA":                              "ana.petrovic@example.com",
		"петр":                                 "petrova@example.com",
		"АННА П":                               "petrova@example.com",
		"marija":                               "am@example.net",
		"marko.kra":                            "mk@example.net",
		"kraljevic":                            "mk@example.net",
		"Ana-Mar":                              "am@example.net",
		"O'Nei":                                "am@example.net",
		"zoë":                                  "zoe@example.net",
		"100% : & | !(":                        "zoe@example.net",
		"李":                                    "li@example.net",
		"axb":                                  "axb@example.com", // no name begins so
		"a_b":                                  "a_b@example.com",
		"nobody":                               "",
		"<->":                                  "",
		"' | ana:*":                            "am@example.net ana.petrovic@example.com",
		"ana'); DROP TABLE auth.accounts; --":  "",
		"%":                                    "",
	} {
		res, err := support.SearchAccounts(t.Context(), &authv1.SearchAccountsRequest{Query: query})
		if err != nil {
			t.Errorf("%q: %v", query, err)
			continue
		}
		var found []string
		for _, one := range res.GetAccounts() {
			found = append(found, one.GetAccount().GetEmail())
		}
		if got := strings.Join(found, " "); got != want || res.GetNextPageToken() != "" {
			t.Errorf("%q: found %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"", " ", "\u00a0", "ana\x00", "a\nb", strings.Repeat("a", 201)} {
		_, err := support.SearchAccounts(t.Context(), &authv1.SearchAccountsRequest{Query: query})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "query" {
			t.Errorf("%q: field %q, %v", query, wrongField(err), err)
		}
	}
}

func TestSearchAccountsPageByPage(t *testing.T) {
	t.Parallel()
	r := newRig(t, inDemo)
	support := r.supportAs(r.staff("support@example.org", "support"))
	for i := range 5 {
		r.called([2]string{"Zora", fmt.Sprintf("first%d@example.com", i)})
	}
	var token string
	for query, want := range map[string]string{
		"zor":    "first4 first3 first2 first1 first0",
		"first":  "first4 first3 first2 first1 first0", // by the address, on each page
		"first3": "first3",
	} {
		var seen []string
		req := &authv1.SearchAccountsRequest{Query: query, PageSize: 2}
		for {
			res, err := support.SearchAccounts(t.Context(), req)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range res.GetAccounts() {
				seen = append(seen, strings.TrimSuffix(one.GetAccount().GetEmail(), "@example.com"))
			}
			if req.PageToken = res.GetNextPageToken(); req.PageToken == "" {
				break
			}
			token = req.GetPageToken()
		}
		if got := strings.Join(seen, " "); got != want {
			t.Errorf("%q: %s, want %s", query, got, want)
		}
	}
	for _, forged := range []string{token, "AAAA"} { // one of another query
		_, err := support.SearchAccounts(t.Context(), &authv1.SearchAccountsRequest{Query: "zo", PageToken: forged})
		if connect.CodeOf(err) != connect.CodeInvalidArgument || wrongField(err) != "pageToken" {
			t.Errorf("page %q: %v", forged, err)
		}
	}
	_, err := support.SearchAccounts(t.Context(), &authv1.SearchAccountsRequest{Query: "zo", PageSize: 101})
	if wrongField(err) != "pageSize" {
		t.Errorf("too large a page: %v", err)
	}
}
