import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedream_daemon.ark.hosts import HostRule, ResultHostError, checked_host, is_open_internet

BASE = "https://ark.ap-southeast.bytepluses.com/api/v3"
TOS = "ark-content-generation-v2-ap-southeast-1.tos-ap-southeast-1.volces.com"
RULE = HostRule(BASE, ("cdn.example", "cdn.example:8443", " Upper.Example "))
LOCAL = HostRule("http://127.0.0.1:8000/api/v3")

GOOD = [
    (RULE, f"https://{TOS}/seedream-4-0/1_0.jpeg?X-Tos-Expires=86400&x=image%2Fwatermark"),
    (RULE, f"https://{TOS.upper()}/1.jpeg"),
    (RULE, f"https://{TOS}:443/1.jpeg"),
    (RULE, "https://ark-acg-cn-beijing.tos-cn-beijing.volces.com/1.jpeg"),
    (RULE, "https://cdn.example/1.jpeg"),
    (RULE, "https://cdn.example:8443/1.jpeg"),
    (RULE, "https://upper.example/1.jpeg"),
    (RULE, "https://ark.ap-southeast.bytepluses.com/1.jpeg"),
    (RULE, "http://ark.ap-southeast.bytepluses.com/1.jpeg"),
    (RULE, "https://ark.ap-southeast.bytepluses.com:8443/1.jpeg"),
    (LOCAL, "http://127.0.0.1:8000/pictures/1.jpeg"),
    (LOCAL, "http://127.0.0.1:8001/1.jpeg"),
    (LOCAL, "https://127.0.0.1:8000/pictures/1.jpeg"),
    (HostRule("http://[::1]:8000/api/v3"), "http://[::1]:8000/1.jpeg"),
]

BAD = [
    (RULE, f"http://{TOS}/1.jpeg"),  # in the clear
    (RULE, f"https://{TOS}:8443/1.jpeg"),
    (RULE, f"https://{TOS}./1.jpeg"),  # trailing dot
    (RULE, f"https://{TOS}.evil.example/1.jpeg"),
    (RULE, f"https://evil.example/{TOS}"),
    (RULE, f"https://evil.example#{TOS}"),
    (RULE, f"https://evil.example\\@{TOS}/1.jpeg"),
    (RULE, f"https://{TOS}@evil.example/1.jpeg"),
    (RULE, f"https://user:word@{TOS}/1.jpeg"),
    (RULE, f"https://@{TOS}/1.jpeg"),
    (RULE, f"https://{TOS}%2eevil.example/1.jpeg"),
    (RULE, f" https://{TOS}/1.jpeg"),
    (RULE, f"https://{TOS}\t/1.jpeg"),
    (RULE, f"https://{TOS}\n.evil.example/1.jpeg"),
    (RULE, "https://ark-x.tos-y.volces.com.evil.example/"),
    (RULE, "https://ark-x.tos-y.volcesXcom/"),
    (RULE, "https://ark-.evil.tos-y.volces.com/"),
    (RULE, "https://evil-ark-x.tos-y.volces.com/"),
    (RULE, "https://tos-y.volces.com/"),
    (RULE, "https://ark-x.tos-y.volc\u0435s.com/"),  # a Cyrillic letter
    (RULE, "https://ark-x\u3002tos-y.volces.com/"),  # an ideographic dot
    (RULE, "https://xn--volcs-9ve.com/"),
    (RULE, "https://sub.cdn.example/1.jpeg"),
    (RULE, "http://cdn.example/1.jpeg"),
    (RULE, "https://x.ark.ap-southeast.bytepluses.com/1.jpeg"),
    (RULE, "https://127.0.0.1/1.jpeg"),
    (RULE, "https://[::ffff:127.0.0.1]/1.jpeg"),
    (RULE, "https://169.254.169.254/latest/meta-data"),
    (RULE, "https://2130706433/"),
    (LOCAL, "http://localhost:8000/1.jpeg"),
    (LOCAL, "http://127.1:8000/1.jpeg"),
    (LOCAL, "http://[::ffff:127.0.0.1]:8000/1.jpeg"),
    (RULE, "file:///etc/passwd"),
    (RULE, "ftp://cdn.example/1.jpeg"),
    (RULE, "//cdn.example/1.jpeg"),
    (RULE, "https:///1.jpeg"),
    (RULE, "https://cdn.example:99999/"),
    (RULE, "https://cdn.example:x/"),
    (RULE, "https://[::1/"),
    (RULE, ""),
]


@pytest.mark.parametrize(("rule", "url"), GOOD)
def test_results_come_from_the_hosts_of_the_service(rule, url):
    assert rule.check(url).host == rule.check(url).host.casefold()


@pytest.mark.parametrize(("rule", "url"), BAD)
def test_nothing_is_fetched_from_elsewhere(rule, url):
    with pytest.raises(ResultHostError):
        rule.check(url)


@given(st.text(max_size=60))
def test_any_text_is_a_place_or_a_refusal(text):
    with pytest.raises(ResultHostError):
        RULE.check(text)


def test_the_refusal_names_the_host_and_the_setting_but_not_the_signature():
    with pytest.raises(ResultHostError) as caught:
        RULE.check("https://other.example/1.jpeg?X-Tos-Signature=secret")
    assert "other.example" in str(caught.value)
    assert "RESULT_HOSTS" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("https://other.example/1.jpeg", "add other.example to RESULT_HOSTS and resume"),
        ("https://other.example:8443/1.jpeg", "add other.example:8443 to RESULT_HOSTS"),
        ("https://[2606:4700::1111]/1.jpeg", "add [2606:4700::1111]:443 to RESULT_HOSTS"),
        ("http://other.example/1.jpeg", "only https is fetched"),
        ("https://127.0.0.1:8443/1.jpeg", "only the open internet"),
        ("https://localhost/1.jpeg", "only the open internet"),
        ("https://[::1]/1.jpeg", "only the open internet"),
    ],
)
def test_the_setting_is_advised_only_where_it_helps(url, advice):
    with pytest.raises(ResultHostError) as caught:
        RULE.check(url)
    assert advice in str(caught.value)
    assert ("RESULT_HOSTS" in str(caught.value)) == ("RESULT_HOSTS" in advice)


@pytest.mark.parametrize("host", ["other.example:8443", "[2606:4700::1111]:443", "1.1.1.1"])
def test_what_is_advised_helps(host):
    HostRule(BASE, (checked_host(host),)).check(f"https://{host}/1.jpeg")


@pytest.mark.parametrize(
    "entry",
    [
        "https://cdn.example",
        "cdn.example/x",
        "*.example",
        ".example",
        "cdn.example.",
        "a b",
        "user@cdn.example",
        "cdn.example:0",
        "cdn.example:99999",
        "cdn.example:",
        "2606:4700::1",
        "[zz]",
        "cdn.ex\u0430mple",
        "",
    ],
)
def test_an_entry_that_is_no_host_name_is_refused(entry):
    with pytest.raises(ValueError, match="must be the name of a host"):
        checked_host(entry)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.127.255.255",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)
def test_addresses_of_our_own_net_are_not_the_internet(address):
    assert not is_open_internet(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"]
)
def test_addresses_of_the_internet_are(address):
    assert is_open_internet(address)
