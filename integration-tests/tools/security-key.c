/*
 * A security key in software: middleware for OpenSSH (sk-api.h of OpenSSH 8.9 and later, described
 * in its PROTOCOL.u2f), so that ssh-keygen, ssh-agent and ssh-sk-helper do with it all that they do
 * with a token. For tests only: the private key is the key handle.
 *
 *     cc -shared -fPIC -o security-key.so security-key.c -lcrypto
 *
 * Whether it "was touched" is what the key was made with: -O no-touch-required takes the flag away.
 * With SECURITY_KEY_UNTOUCHED in the environment nobody touches it, and it gives up, as tokens do.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define API_VERSION 0x000a0000
#define ALG_ECDSA 0
#define ALG_ED25519 1
#define ERR_GENERAL (-1)
#define ERR_UNSUPPORTED (-2)

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};

struct sk_option;
struct sk_resident_key;

uint32_t sk_api_version(void) { return API_VERSION; }

/* OpenSSH frees what it is given with free(), which is not always OpenSSL's allocator. */
static uint8_t *copy(const uint8_t *bytes, size_t len) {
	uint8_t *copied = malloc(len ? len : 1);
	if (copied != NULL)
		memcpy(copied, bytes, len);
	return copied;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len,
    const char *application, uint8_t flags, const char *pin, struct sk_option **options,
    struct sk_enroll_response **answer) {
	(void)challenge; (void)challenge_len; (void)application; (void)pin; (void)options;
	if (alg != ALG_ECDSA && alg != ALG_ED25519)
		return ERR_UNSUPPORTED;
	EVP_PKEY *key = alg == ALG_ECDSA ? EVP_EC_gen("P-256")
	                                 : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	struct sk_enroll_response *made = calloc(1, sizeof(*made));
	uint8_t *public = NULL, *private = NULL;
	if (key == NULL || made == NULL)
		return ERR_GENERAL;
	made->flags = flags;
	if (alg == ALG_ECDSA) {
		made->public_key_len = EVP_PKEY_get1_encoded_public_key(key, &public);
		made->public_key = copy(public, made->public_key_len);
	} else {
		made->public_key_len = 32;
		made->public_key = malloc(32);
		EVP_PKEY_get_raw_public_key(key, made->public_key, &made->public_key_len);
	}
	made->key_handle_len = i2d_PrivateKey(key, &private);
	made->key_handle = copy(private, made->key_handle_len);
	/* No attestation; OpenSSH wants an answer all the same. */
	made->signature = copy((const uint8_t *)"", 0);
	OPENSSL_free(public);
	OPENSSL_free(private);
	EVP_PKEY_free(key);
	*answer = made;
	return 0;
}

static int sign_with(EVP_PKEY *key, const EVP_MD *hash, const uint8_t *message, size_t len,
    uint8_t *signature, size_t *signature_len) {
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int done = context != NULL && EVP_DigestSignInit(context, NULL, hash, NULL, key) == 1 &&
	    EVP_DigestSign(context, signature, signature_len, message, len) == 1;
	EVP_MD_CTX_free(context);
	return done;
}

/* DER, as OpenSSL signs, taken apart into the two numbers that OpenSSH wants. */
static int put_numbers(const uint8_t *der, size_t len, struct sk_sign_response *made) {
	ECDSA_SIG *numbers = d2i_ECDSA_SIG(NULL, &der, (long)len);
	if (numbers == NULL)
		return 0;
	made->sig_r_len = made->sig_s_len = 32;
	made->sig_r = malloc(32);
	made->sig_s = malloc(32);
	int done = BN_bn2binpad(ECDSA_SIG_get0_r(numbers), made->sig_r, 32) == 32 &&
	    BN_bn2binpad(ECDSA_SIG_get0_s(numbers), made->sig_s, 32) == 32;
	ECDSA_SIG_free(numbers);
	return done;
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application,
    const uint8_t *key_handle, size_t key_handle_len, uint8_t flags, const char *pin,
    struct sk_option **options, struct sk_sign_response **answer) {
	(void)pin; (void)options;
	if (getenv("SECURITY_KEY_UNTOUCHED") != NULL)
		return ERR_GENERAL;
	const uint8_t *handle = key_handle;
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &handle, (long)key_handle_len);
	struct sk_sign_response *made = calloc(1, sizeof(*made));
	if (key == NULL || made == NULL)
		return ERR_GENERAL;
	made->flags = flags;
	made->counter = 1;
	/* WebAuthn, 6.1: hash of the application, flags, counter, hash of what is signed. */
	uint8_t message[32 + 1 + 4 + 32] = {0};
	EVP_Digest(application, strlen(application), message, NULL, EVP_sha256(), NULL);
	message[32] = made->flags;
	message[36] = 1;
	EVP_Digest(data, data_len, message + 37, NULL, EVP_sha256(), NULL);
	uint8_t signature[128];
	size_t len = sizeof(signature);
	const EVP_MD *hash = alg == ALG_ECDSA ? EVP_sha256() : NULL;
	int done = sign_with(key, hash, message, sizeof(message), signature, &len);
	EVP_PKEY_free(key);
	if (done && alg == ALG_ECDSA) {
		done = put_numbers(signature, len, made);
	} else if (done) {
		made->sig_r = copy(signature, len);
		made->sig_r_len = len;
	}
	*answer = made;
	return done ? 0 : ERR_GENERAL;
}

int sk_load_resident_keys(const char *pin, struct sk_option **options,
    struct sk_resident_key ***keys, size_t *count) {
	(void)pin; (void)options; (void)keys; (void)count;
	return ERR_UNSUPPORTED;
}
