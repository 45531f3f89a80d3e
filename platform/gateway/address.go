package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

const forwardedForHeader = "X-Forwarded-For"

// proxies are the networks of the proxies in front of us. What a request says about where it comes from is believed
// only as far as a chain of them reaches.
type proxies []netip.Prefix

// caller is the address of whoever sent the request to the first proxy of the chain, or to us; invalid when there is none, as on a Unix socket.
func (p proxies) caller(r *http.Request) netip.Addr {
	address := peer(r)
	if !p.trusts(address) {
		return address
	}
	lines := r.Header[forwardedForHeader]
	for i := len(lines) - 1; i >= 0; i-- {
		for rest := lines[i]; rest != ""; {
			var hop string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, hop = rest[:comma], rest[comma+1:]
			} else {
				rest, hop = "", rest
			}
			next, ok := parseHop(hop)
			if !ok {
				return address // whoever wrote this is the last we know
			}
			address = next
			if !p.trusts(address) {
				return address
			}
		}
	}
	return address
}

// secure tells whether the caller's connection is encrypted, as far as we can know.
func (p proxies) secure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	said := r.Header["X-Forwarded-Proto"]
	return len(said) == 1 && said[0] == "https" && p.trusts(peer(r))
}

func (p proxies) trusts(address netip.Addr) bool {
	if !address.IsValid() {
		return false
	}
	for _, prefix := range p {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// peer is who is connected to us.
func peer(r *http.Request) netip.Addr {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return address.Addr().Unmap().WithZone("")
}

// parseHop reads one entry of X-Forwarded-For; some proxies write the port too.
func parseHop(hop string) (netip.Addr, bool) {
	hop = strings.TrimSpace(hop)
	if address, err := netip.ParseAddr(hop); err == nil {
		return address.Unmap().WithZone(""), true
	}
	if address, err := netip.ParseAddrPort(hop); err == nil {
		return address.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(hop, "["); ok {
		if address, err := netip.ParseAddr(strings.TrimSuffix(inner, "]")); err == nil {
			return address.WithZone(""), true
		}
	}
	return netip.Addr{}, false
}
