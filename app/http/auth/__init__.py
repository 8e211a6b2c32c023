"""Who is signed in: access tokens, signing keys, claims, and development sign-in."""
