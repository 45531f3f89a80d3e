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
	// RoleMeditation serves the catalogue (content.v1).
	RoleMeditation Role = "meditation"
	// RoleWorker runs background jobs; it has no public port.
	RoleWorker Role = "worker"
)

// everyRole is what "all" stands for.
func everyRole() []Role { return []Role{RoleGateway, RoleMeditation, RoleWorker} }

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
			return nil, fmt.Errorf("ROLES: %q is no role; there are gateway, meditation, worker and all", name)
		}
	}
	slices.Sort(roles)
	roles = slices.Compact(roles)
	if slices.Contains(roles, RoleGateway) != slices.Contains(roles, RoleMeditation) {
		return nil, fmt.Errorf("ROLES: gateway and meditation run in one process: name both, or neither")
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("ROLES: name at least one of gateway, meditation, worker, or all")
	}
	return roles, nil
}
