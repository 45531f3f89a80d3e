package app

import (
	"fmt"
	"slices"
	"strings"
)

// Role is a part of the program that a process may run.
type Role string

const (
	// RoleGateway is the public port.
	RoleGateway Role = "gateway"
	// RoleAuth serves sign-in (auth.v1).
	RoleAuth Role = "auth"
	// RoleUser serves people's own data (user.v1).
	RoleUser Role = "user"
	// RoleMeditation serves the catalogue (content.v1) and what people practise (meditation.v1).
	RoleMeditation Role = "meditation"
	// RoleWorker runs background jobs; it has no public port.
	RoleWorker Role = "worker"
)

// everyRole is what "all" stands for.
func everyRole() []Role { return append(together(), RoleWorker) }

// together are the roles that run in one process: the gateway reaches services in its own process only, and so does each of them the others.
func together() []Role { return []Role{RoleGateway, RoleAuth, RoleUser, RoleMeditation} }

// parseRoles reads the names of roles.
func parseRoles(names []string) ([]Role, error) {
	var roles []Role
	for _, name := range names {
		switch role := Role(strings.TrimSpace(name)); {
		case role == "all":
			roles = append(roles, everyRole()...)
		case slices.Contains(everyRole(), role):
			roles = append(roles, role)
		default:
			return nil, fmt.Errorf("ROLES: %q is no role; there are %s and all", name, listed(everyRole()))
		}
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	count := 0
	for _, role := range together() {
		if slices.Contains(roles, role) {
			count++
		}
	}
	if count != 0 && count != len(together()) {
		return nil, fmt.Errorf("ROLES: %s run in one process: name all of them, or none", listed(together()))
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("ROLES: name at least one of %s, or all", listed(everyRole()))
	}
	return roles, nil
}

// listed is roles as people read them.
func listed(roles []Role) string { return strings.Join(texts(roles), ", ") }

func texts(roles []Role) []string {
	all := make([]string, 0, len(roles))
	for _, role := range roles {
		all = append(all, string(role))
	}
	return all
}
