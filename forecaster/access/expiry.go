package access

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"
)

// expiry is when a token says that it expires, zero if it does not say. The
// token must be known to be good: nothing is verified here.
func expiry(token string) time.Time {
	parts := strings.Split(token, ".") // header, claims, signature: RFC 7519
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}
	}
	var claims struct {
		Expires float64 `json:"exp"`
	}
	const latest = 1 << 40 // seconds since 1970, beyond which a time.Time of them would be no help
	if json.Unmarshal(text, &claims) != nil || !(claims.Expires > 0 && claims.Expires < latest) {
		return time.Time{}
	}
	return time.Unix(int64(claims.Expires), 0)
}
