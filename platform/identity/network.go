package identity

import "net/netip"

// Network is the network that the caller's address is in: /24 of IPv4, /48 of IPv6; nil when there is no address.
// It is what may be kept of an address: it tells a place, and not a person.
func (r Request) Network() *netip.Prefix {
	address := r.Address.Unmap().WithZone("")
	if !address.IsValid() {
		return nil
	}
	bits := 48
	if address.Is4() {
		bits = 24
	}
	prefix := netip.PrefixFrom(address, bits).Masked()
	return &prefix
}
