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
	// RoleMeditation serves the catalogue (content.v1).
	RoleMeditation Role = "meditation"
	// RoleWorker runs background jobs; it has no public port.
	RoleWorker Role = "worker"
)

// everyRole is what "all" stands for.
func everyRole() []Role { return []Role{RoleGateway, RoleAuth, RoleMeditation, RoleWorker} }

// parseRoles reads the names of roles. The gateway reaches services in its own process only, so it cannot run without them yet.
func parseRoles(names []string) ([]Role, error) {
	var roles []Role
	for _, name := range names {
		switch role := Role(strings.TrimSpace(name)); {
		case role == "all":
			roles = append(roles, everyRole()...)
		case slices.Contains(everyRole(), role):
			roles = append(roles, role)
		default:
			return nil, fmt.Errorf("ROLES: %q is no role; there are gateway, auth, meditation, worker and all", name)
		}
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	together := 0
	for _, role := range []Role{RoleGateway, RoleAuth, RoleMeditation} {
		if slices.Contains(roles, role) {
			together++
		}
	}
	if together != 0 && together != 3 {
		return nil, fmt.Errorf("ROLES: gateway, auth and meditation run in one process: name all of them, or none")
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("ROLES: name at least one of gateway, auth, meditation, worker, or all")
	}
	return roles, nil
}
