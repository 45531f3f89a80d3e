package limit

import "net/netip"

// AddressKey is the IPv4 address, or the IPv6 network of 64 bits, as one host has a whole network of the latter.
func AddressKey(address netip.Addr) string {
	switch address = address.Unmap(); {
	case address.Is4():
		bytes := address.As4()
		return string(bytes[:])
	case address.Is6():
		bytes := address.As16()
		return string(bytes[:8])
	}
	return ""
}
