/* SPDX-License-Identifier: Apache-2.0
 *
 * test-policy.c - who may do what to which device
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "model/policy.h"

#define CI_GROUP 4711

/* One policy for all of it; each line is "file:line". */
static const struct {
	const char *name, *key, *value;
} lines[] = {
	{ "nic", "uid", "1000" },
	{ "nic", "verbs", "device.prepare, lease.*" },
	{ "nic", "devices", "0000:3b:00.0, id:8086:10c9" },
	{ "ci", "gid", "4711" },
	{ "ci", "role", "operator" },
	{ "ci", "devices", "numa:1,group:5e:00.0" },
	{ "vm", "unit", "vm-*.scope" },
	{ "vm", "role", "viewer" },
	{ "gpu", "uri", "spiffe://example/ns/gpu/*, spiffe://example/one" },
	{ "gpu", "role", "operator" },
	{ "gpu", "devices", "class:0302" },
	{ "gpu", "address", "uid:1001, unit:vm-*.scope, token" },
	{ "boss", "dns", "boss.example.org" },
	{ "boss", "role", "admin" },
	{ "lab", "uid", "1002" },
	{ "lab", "verbs", "lease.release, lease.create" },
	{ "lab", "devices", "label:team=lab" },
};

/* resolve() - The one name that is known */
static int resolve(const char *kind, const char *name, uint32_t *ret)
{
	if (strcmp(kind, "uid") != 0 || strcmp(name, "qemu") != 0)
		return -ENOENT;
	*ret = 107;
	return 0;
}

/* make_policy() - The policy of @lines */
static struct policy *make_policy(void)
{
	struct policy *policy = policy_new(77);
	struct grant *grant = NULL;
	char why[160], where[32];

	assert_non_null(policy);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (!grant || strcmp(grant->name, lines[i].name) != 0)
			grant = policy_add(policy, lines[i].name);
		assert_non_null(grant);
		str_format(where, sizeof(where), "f:%zu", i + 1);
		assert_int_equal(grant_set(grant, lines[i].key, lines[i].value,
					   where, resolve, why), 0);
	}
	for (size_t i = 2; i < policy->n_grants; i++)
		assert_null(grant_check(&policy->grants[i]));
	return policy;
}

/* make_device() - A device by address and what grants look at */
static struct device make_device(const char *name, uint16_t vendor,
				 uint16_t id, uint32_t class, int node)
{
	struct device device = { .facts = { .vendor = vendor, .device = id,
					    .class = class,
					    .numa_node = node } };

	str_copy(device.name, sizeof(device.name), name);
	return device;
}

enum { NIC, OTHER_NIC, GPU, DISK, NODE1, NONE };

/* Who may do what to what, and which line decides. */
static const struct {
	uid_t uid;
	gid_t gid;
	const char *unit, *uri, *dns;
	enum role ceiling;
	const char *permission;
	int device;
	enum verdict verdict;
	const char *where;
} cases[] = {
#define DENIED VERDICT_DENIED, NULL
#define BY(where) VERDICT_ALLOWED, where
#define CAPPED(where) VERDICT_CEILING, where
#define UID(n) n, n, "", NULL, NULL
#define CERT(uri, dns) -1, -1, "", uri, dns
	{ UID(0), ROLE_ADMIN, "device.recover", DISK, BY("built in") },
	{ UID(0), ROLE_ADMIN, "policy.check", NONE, BY("built in") },
	{ UID(0), ROLE_ADMIN, "nobody.knows", NONE, BY("built in") },
	{ UID(0), ROLE_OPERATOR, "device.prepare", DISK, BY("built in") },
	{ UID(0), ROLE_OPERATOR, "device.recover", DISK, CAPPED("built in") },
	{ UID(0), ROLE_OPERATOR, "device.force", DISK, CAPPED("built in") },
	{ UID(0), ROLE_NONE, "device.view", DISK, CAPPED("built in") },
	{ 5, 77, "", NULL, NULL, ROLE_ADMIN, "lease.view", DISK,
	  BY("built in") },
	{ 5, 77, "", NULL, NULL, ROLE_ADMIN, "device.prepare", DISK, DENIED },
	{ UID(5), ROLE_ADMIN, "device.view", DISK, DENIED },
	{ UID(5), ROLE_ADMIN, "group.view", NONE, DENIED },
	/* Verbs for some devices, and no others of either. */
	{ UID(1000), ROLE_ADMIN, "device.prepare", NIC, BY("f:2") },
	{ UID(1000), ROLE_ADMIN, "device.prepare", OTHER_NIC, BY("f:2") },
	{ UID(1000), ROLE_ADMIN, "device.prepare", NONE, BY("f:2") },
	{ UID(1000), ROLE_ADMIN, "lease.unlimited", NIC, BY("f:2") },
	{ UID(1000), ROLE_OPERATOR, "lease.unlimited", NIC, CAPPED("f:2") },
	{ UID(1000), ROLE_OPERATOR, "lease.shared-uid", NIC, CAPPED("f:2") },
	{ UID(1000), ROLE_ADMIN, "device.prepare", DISK, DENIED },
	{ UID(1000), ROLE_ADMIN, "device.recover", NIC, DENIED },
	{ UID(1000), ROLE_VIEWER, "device.prepare", NIC, CAPPED("f:2") },
	/* A role for some devices, by a group that is not the first. */
	{ 6, CI_GROUP, "", NULL, NULL, ROLE_ADMIN, "lease.create", NODE1,
	  BY("f:5") },
	{ 6, CI_GROUP, "", NULL, NULL, ROLE_ADMIN, "device.view", DISK,
	  BY("f:5") },
	{ 6, CI_GROUP, "", NULL, NULL, ROLE_ADMIN, "device.view", NIC,
	  DENIED },
	{ 6, CI_GROUP, "", NULL, NULL, ROLE_ADMIN, "operation.view", NONE,
	  DENIED },
	{ 6, CI_GROUP, "", NULL, NULL, ROLE_ADMIN, "device.recover", NODE1,
	  DENIED },
	{ 7, 7, "vm-7.scope", NULL, NULL, ROLE_ADMIN, "lease.view", DISK,
	  BY("f:8") },
	{ 7, 7, "vm-7.service", NULL, NULL, ROLE_ADMIN, "lease.view", DISK,
	  DENIED },
	{ CERT("spiffe://example/ns/gpu/a", NULL), ROLE_OPERATOR,
	  "device.prepare", GPU, BY("f:10") },
	{ CERT("spiffe://example/ns/gpu/", NULL), ROLE_OPERATOR,
	  "device.prepare", GPU, DENIED },
	{ CERT("spiffe://example/ns/gpux", NULL), ROLE_OPERATOR,
	  "device.prepare", GPU, DENIED },
	{ CERT("spiffe://example/one", NULL), ROLE_OPERATOR, "lease.view",
	  GPU, BY("f:10") },
	{ CERT("spiffe://example/one/two", NULL), ROLE_OPERATOR, "lease.view",
	  GPU, DENIED },
	{ CERT(NULL, "BOSS.example.org"), ROLE_OPERATOR, "device.prepare",
	  DISK, BY("f:14") },
	{ CERT(NULL, "BOSS.example.org"), ROLE_OPERATOR, "policy.check", NONE,
	  CAPPED("f:14") },
	{ CERT(NULL, "boss.example.org.evil"), ROLE_OPERATOR,
	  "device.prepare", DISK, DENIED },
	/* Nobody's uid is nobody's. */
	{ CERT(NULL, NULL), ROLE_ADMIN, "device.view", NIC, DENIED },
	{ UID(1002), ROLE_ADMIN, "lease.release", NIC, BY("f:16") },
	{ UID(1002), ROLE_ADMIN, "lease.release", DISK, DENIED },
	/* Who makes a lease chooses its labels: they give nothing for that. */
	{ UID(1002), ROLE_ADMIN, "lease.create", NIC, DENIED },
};

/* each_question_has_its_answer() */
static void each_question_has_its_answer(void **state)
{
	struct policy *policy = make_policy();
	const struct device devices[] = {
		[NIC] = make_device("devices/pci-0000-3b-00.0", 1, 2, 0x020000,
				    0),
		[OTHER_NIC] = make_device("devices/pci-0000-18-00.0", 0x8086,
					  0x10c9, 0x020000, 0),
		[GPU] = make_device("devices/pci-0000-af-00.0", 0x10de, 5,
				    0x030200, 0),
		[DISK] = make_device("devices/pci-0000-5e-00.0", 0x8086, 0x10ca,
				     0x010802, -1),
		[NODE1] = make_device("devices/pci-0000-d8-00.0", 9, 9,
				      0x0b4000, 1),
	};
	char *labels[] = { (char *)"team", (char *)"lab" };
	const struct strv lab = { labels, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct identity *who = identity_new(cases[i].uid);
		gid_t groups[] = { 8, cases[i].gid };
		const struct grant *by = NULL;
		struct question q = {
			.identity = who,
			.ceiling = cases[i].ceiling,
			.permission = permission_find(cases[i].permission),
			.device = cases[i].device == NONE ? NULL :
				&devices[cases[i].device],
			.group = cases[i].device == DISK ?
				"groups/pci-0000-5e-00.0" : "",
			.labels = cases[i].device == NIC ? &lab : NULL,
		};

		assert_non_null(who);
		who->groups = groups;
		who->n_groups = 2;
		str_copy(who->unit, sizeof(who->unit), cases[i].unit);
		if (cases[i].uri)
			strv_add(&who->uris, cases[i].uri);
		if (cases[i].dns)
			strv_add(&who->names, cases[i].dns);
		if (policy_decide(policy, &q, &by) != cases[i].verdict)
			fail_msg("case %zu: %s", i, cases[i].permission);
		if (cases[i].where)
			assert_string_equal(by->where, cases[i].where);
		else
			assert_null(by);
		who->groups = NULL;
		identity_free(who);
	}
	policy_unref(policy);
}

/* Whom a lease may be for. */
static const struct {
	uid_t uid;
	const char *uri;
	bool via_api;
	struct addressee to;
	enum verdict verdict;
} addresses[] = {
	/* On the native socket an operator's are for anybody. */
	{ 0, NULL, false, { false, 5, "" }, VERDICT_ALLOWED },
	{ 0, NULL, false, { true, -1, "" }, VERDICT_ALLOWED },
	{ 0, NULL, true, { false, 0, "" }, VERDICT_ALLOWED },
	{ 0, NULL, true, { false, 5, "" }, VERDICT_ADDRESSEE },
	{ 0, NULL, true, { true, -1, "" }, VERDICT_ADDRESSEE },
	{ 0, NULL, true, { true, 0, "" }, VERDICT_ADDRESSEE },
	/* Who has verbs only, for itself. */
	{ 1000, NULL, false, { false, 1000, "" }, VERDICT_ALLOWED },
	{ 1000, NULL, false, { false, 1001, "" }, VERDICT_ADDRESSEE },
	{ 1000, NULL, false, { true, 1000, "" }, VERDICT_ADDRESSEE },
	{ -1, "spiffe://example/one", true, { false, 1001, "" },
	  VERDICT_ALLOWED },
	{ -1, "spiffe://example/one", true, { false, 1000, "" },
	  VERDICT_ADDRESSEE },
	{ -1, "spiffe://example/one", true, { false, 1000, "vm-1.scope" },
	  VERDICT_ALLOWED },
	{ -1, "spiffe://example/one", true, { false, 1000, "vm.scope" },
	  VERDICT_ADDRESSEE },
	{ -1, "spiffe://example/one", true, { true, -1, "" },
	  VERDICT_ALLOWED },
	/* No uid is not the uid of who has none. */
	{ -1, "spiffe://example/one", true, { false, -1, "" },
	  VERDICT_ADDRESSEE },
};

/* leases_are_for_whom_they_may_be() */
static void leases_are_for_whom_they_may_be(void **state)
{
	struct policy *policy = make_policy();
	const struct device device = make_device("devices/pci-0000-3b-00.0",
						 1, 2, 0x030200, 0);

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		struct identity *who = identity_new(addresses[i].uid);
		struct question q = {
			.identity = who,
			.ceiling = ROLE_OPERATOR,
			.via_api = addresses[i].via_api,
			.permission = permission_find("lease.create"),
			.device = &device,
			.group = "",
			.addressee = &addresses[i].to,
		};

		assert_non_null(who);
		if (addresses[i].uri)
			strv_add(&who->uris, addresses[i].uri);
		if (policy_decide(policy, &q, NULL) != addresses[i].verdict)
			fail_msg("address %zu", i);
		identity_free(who);
	}
	policy_unref(policy);
}

/* without_a_policy_only_root_may() */
static void without_a_policy_only_root_may(void **state)
{
	struct identity *root = identity_new(0), *other = identity_new(1);
	struct question q = { .ceiling = ROLE_ADMIN,
			      .permission = permission_find("device.view") };

	q.identity = root;
	assert_int_equal(policy_decide(NULL, &q, NULL), VERDICT_ALLOWED);
	assert_int_equal(policy_role(NULL, root), ROLE_ADMIN);
	q.identity = other;
	assert_int_equal(policy_decide(NULL, &q, NULL), VERDICT_DENIED);
	assert_int_equal(policy_role(NULL, other), ROLE_NONE);
	other->runs_it = true;
	assert_int_equal(policy_role(NULL, other), ROLE_ADMIN);
	identity_free(root);
	identity_free(other);
}

/* Who decides about a device need not look for its group otherwise. */
static void a_policy_knows_whether_it_names_groups(void **state)
{
	struct policy *policy = make_policy(), *plain = policy_new(77);
	char why[160];

	assert_non_null(plain);
	assert_true(policy_names_groups(policy));
	assert_false(policy_names_groups(NULL));
	assert_false(policy_names_groups(plain));
	assert_int_equal(grant_set(policy_add(plain, "one"), "devices",
				   "id:8086:*, groups/pci-0000-5e-00.0",
				   "f:1", NULL, why), 0);
	assert_true(policy_names_groups(plain));
	policy_unref(policy);
	policy_unref(plain);
}

/* A line that is refused, and a word of the reason. */
static const struct {
	const char *key, *value, *why;
} bad[] = {
	{ "uid", "nobody-knows", "no uid 'nobody-knows'" },
	{ "uid", "4294967295", "no uid" },
	{ "uid", "", "missing" },
	{ "uid", "1,,2", "missing" },
	{ "gid", "qemu", "no gid" },
	{ "uri", "example", "no URI" },
	{ "uri", "spiffe://a*/b", "at the end" },
	{ "uri", "spiffe://a*", "after a slash" },
	{ "dns", "*.example.org", "no stars" },
	{ "role", "none", "no role" },
	{ "role", "root", "no role" },
	{ "verbs", "device.break", "no verb" },
	{ "verbs", "dev*", "no verb" },
	{ "verbs", "nothing.*", "no verb" },
	{ "verbs", ".*", "no verb" },
	{ "devices", "3b:00", "says nothing" },
	{ "devices", "3b:00.8", "says nothing" },
	{ "devices", "groups/x", "says nothing" },
	{ "devices", "id:8086", "id:VENDOR" },
	{ "devices", "id:8086:", "id:VENDOR" },
	{ "devices", "id:8086:10c", "no device" },
	{ "devices", "id:80x6:10c9", "no vendor" },
	{ "devices", "class:2", "digits" },
	{ "devices", "class:0C", "digits" },
	{ "devices", "numa:x", "numa:NODE" },
	{ "devices", "label:=x", "label:KEY" },
	{ "devices", "label:x", "label:KEY" },
	{ "address", "1000", "uid:USER" },
	{ "address", "unit:", "uid:USER" },
	{ "address", "uid:nobody-knows", "no uid" },
	{ "adress", "token", "no key" },
};

/* bad_words_are_refused_with_the_reason() */
static void bad_words_are_refused_with_the_reason(void **state)
{
	struct policy *policy = policy_new((gid_t)-1);
	char why[160];

	assert_non_null(policy);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct grant *grant = policy_add(policy, "bad");

		assert_int_equal(grant_set(grant, bad[i].key, bad[i].value,
					   "f:1", resolve, why), -EINVAL);
		if (!strstr(why, bad[i].why))
			fail_msg("%s = %s: %s", bad[i].key, bad[i].value, why);
	}
	policy_unref(policy);
}

/* a_grant_is_whole_or_refused() */
static void a_grant_is_whole_or_refused(void **state)
{
	struct policy *policy = policy_new((gid_t)-1);
	struct grant *grant = policy_add(policy, "g");
	char why[160];

	assert_non_null(strstr(grant_check(grant), "nobody"));
	assert_int_equal(grant_set(grant, "uid", "qemu", "f:1", resolve, why),
			 0);
	assert_int_equal(grant->who.items[0].id, 107);
	assert_non_null(strstr(grant_check(grant), "nothing"));
	assert_int_equal(grant_set(grant, "role", "viewer", "f:2", resolve,
				   why), 0);
	assert_null(grant_check(grant));
	assert_int_equal(grant_set(grant, "verbs", "*", "f:3", resolve, why),
			 0);
	assert_non_null(strstr(grant_check(grant), "both"));
	policy_unref(policy);
}

/* A control group, and the unit that it belongs to. */
static const struct {
	const char *cgroup, *unit;
} units[] = {
	{ "/system.slice/libvirtd.service", "libvirtd.service" },
	{ "/machine.slice/vm-7.scope/libvirt/vcpu0", "vm-7.scope" },
	{ "/a.slice/a-b.slice/x.service/y.service", "x.service" },
	/* What a user has made in what is its own counts for nothing. */
	{ "/user.slice/user-1.slice/user@1.service/app.slice/vm-7.scope",
	  "user@1.service" },
	{ "/init.scope", "init.scope" },
	{ "/", "" },
	{ "", "" },
	{ "/docker/vm-7.scope", "" },
	{ "/system.slice", "" },
	{ "/.scope", "" },
};

/* a_unit_is_the_first_part_that_is_no_slice() */
static void a_unit_is_the_first_part_that_is_no_slice(void **state)
{
	char unit[128];

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		identity_unit(units[i].cgroup, unit);
		assert_string_equal(unit, units[i].unit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_question_has_its_answer),
		cmocka_unit_test(leases_are_for_whom_they_may_be),
		cmocka_unit_test(without_a_policy_only_root_may),
		cmocka_unit_test(bad_words_are_refused_with_the_reason),
		cmocka_unit_test(a_policy_knows_whether_it_names_groups),
		cmocka_unit_test(a_grant_is_whole_or_refused),
		cmocka_unit_test(a_unit_is_the_first_part_that_is_no_slice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
