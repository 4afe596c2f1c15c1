#include "netlink/message.h"

#include <linux/rtnetlink.h>

#include <catch2/catch.hpp>

using namespace ipvsproxy::netlink;

namespace {

const Buffer golden{
    32, 0, 0, 0, 20, 0, 1, 4, 7, 0, 0, 0, 0, 0, 0, 0, // nlmsghdr: RTM_NEWADDR, REQUEST|CREATE, 7
    2,  0, 0, 0, 3,  0, 0, 0, 5, 0, 2, 0, 1, 0, 0, 0, // ifaddrmsg; attribute 2
};

Messages requests(int count) {
    Messages messages;
    for (int i = 0; i < count; ++i) {
        auto out = messages.begin(RTM_NEWADDR, NLM_F_CREATE,
                                  ifaddrmsg{.ifa_family = 2,
                                            .ifa_prefixlen = 0,
                                            .ifa_flags = 0,
                                            .ifa_scope = 0,
                                            .ifa_index = 3});
        out.u8(2, 1);
        messages.finish();
    }
    return messages;
}

Buffer with_header(std::uint16_t type, std::uint16_t flags, const Buffer& payload) {
    const nlmsghdr header{.nlmsg_len =
                              static_cast<std::uint32_t>(sizeof(nlmsghdr) + payload.size()),
                          .nlmsg_type = type,
                          .nlmsg_flags = flags,
                          .nlmsg_seq = 9,
                          .nlmsg_pid = 0};
    Buffer bytes(bytes_of(header).begin(), bytes_of(header).end());
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

std::optional<ErrorReply> error_of(const Buffer& datagram, Buffer& echoed) {
    std::optional<ErrorReply> reply;
    for_each_message(datagram, [&](const Message& message) { reply = decode_error(message); });
    if (reply) echoed.assign(reply->request.begin(), reply->request.end());
    return reply;
}

} // namespace

TEST_CASE("a request is written as the kernel lays it out") {
    Messages messages = requests(1);
    messages.stamp(0, 7, 0);
    CHECK(Buffer(messages.bytes().begin(), messages.bytes().end()) ==
          golden); // the length counts the padding
}

TEST_CASE("several requests share a buffer and split where a limit wants it") {
    Messages messages = requests(5);
    CHECK(messages.count() == 5);
    CHECK(messages.bytes().size() == 160);
    CHECK(messages.fitting(0, 1000) == 5);
    CHECK(messages.fitting(0, 64) == 2);
    CHECK(messages.fitting(0, 95) == 2);
    CHECK(messages.fitting(3, 64) == 5);
    CHECK(messages.fitting(4, 64) == 5);
    CHECK(messages.fitting(1, 1) == 2); // one too large for the limit still goes, alone
    CHECK(messages.bytes(1, 3).size() == 64);
    CHECK(messages.bytes(1, 3).data() == messages.bytes().data() + 32);
}

TEST_CASE("a request is repeated, and changed where it differs") {
    Messages requests;
    requests.begin(RTM_GETLINK, 0, ifinfomsg{}).u32(IFLA_MTU, 1500);
    requests.finish();
    const auto copy = requests.repeat();
    REQUIRE(copy.size() == 40);
    copy[36] = 7;
    CHECK(requests.count() == 2);
    const auto first = requests.bytes(0, 1), second = requests.bytes(1, 2);
    CHECK(first[36] == (1500 & 0xff));
    CHECK(second[36] == 7);
    CHECK(std::equal(first.begin(), first.begin() + 36, second.begin()));
    CHECK(requests.bytes().size() == 80);
}

TEST_CASE("received messages are split and viewed") {
    Buffer two = golden;
    two[0] = 29; // without the padding of its last attribute
    two.insert(two.end(), golden.begin(), golden.end());
    std::vector<std::uint32_t> indexes;
    CHECK(for_each_message(two, [&](const Message& message) {
        CHECK(message.type == RTM_NEWADDR);
        CHECK(message.sequence == 7);
        CHECK(message.flags == (NLM_F_REQUEST | NLM_F_CREATE));
        indexes.push_back(message.header<ifaddrmsg>()->ifa_index);
        CHECK(message.attributes<ifaddrmsg>().u8(2) == 1);
    }));
    CHECK(indexes == std::vector<std::uint32_t>{3, 3});
}

TEST_CASE("a message that does not fit its datagram is not given") {
    for (std::size_t length = 1; length < 32; ++length) {
        const Buffer cut(golden.begin(), golden.begin() + static_cast<std::ptrdiff_t>(length));
        CHECK_FALSE(for_each_message(cut, [](const Message&) { FAIL("was given"); }));
    }
    Buffer short_length = golden;
    short_length[0] = 15;
    CHECK_FALSE(for_each_message(short_length, [](const Message&) { FAIL("was given"); }));
    CHECK(for_each_message({}, [](const Message&) { FAIL("was given"); }));
}

TEST_CASE("a payload too short for the family's header has no attributes") {
    const Buffer bytes = with_header(RTM_NEWADDR, 0, {2, 0});
    for_each_message(bytes, [](const Message& message) {
        CHECK_FALSE(message.header<ifaddrmsg>());
        CHECK(message.attributes<ifaddrmsg>().begin() == message.attributes<ifaddrmsg>().end());
    });
}

TEST_CASE("an error keeps the kernel's errno") {
    Buffer payload{0xed, 0xff, 0xff, 0xff}; // -19
    payload.insert(payload.end(), golden.begin(), golden.begin() + 16);
    Buffer echoed;
    const auto reply = error_of(with_header(NLMSG_ERROR, NLM_F_CAPPED, payload), echoed);
    REQUIRE(reply);
    CHECK(reply->number == ENODEV);
    CHECK(reply->text.empty());
    CHECK(echoed == Buffer(golden.begin(), golden.begin() + 16));
}

TEST_CASE("an error's words are found behind a capped and behind a whole request") {
    GrowingBytes written;
    AttributeWriter{written}.string(NLMSGERR_ATTR_MSG, "no such thing");
    const Bytes words = written;
    Buffer capped{0xed, 0xff, 0xff, 0xff};
    capped.insert(capped.end(), golden.begin(), golden.begin() + 16);
    capped.insert(capped.end(), words.begin(), words.end());
    Buffer whole{0xed, 0xff, 0xff, 0xff};
    whole.insert(whole.end(), golden.begin(), golden.end());
    whole.insert(whole.end(), words.begin(), words.end());
    Buffer echoed;
    const auto first =
        error_of(with_header(NLMSG_ERROR, NLM_F_CAPPED | NLM_F_ACK_TLVS, capped), echoed);
    REQUIRE(first);
    CHECK(first->text == "no such thing");
    CHECK(echoed.size() == 16);
    const auto second = error_of(with_header(NLMSG_ERROR, NLM_F_ACK_TLVS, whole), echoed);
    REQUIRE(second);
    CHECK(second->text == "no such thing");
    CHECK(echoed == golden);
}

TEST_CASE("an error that is cut off or no error is not decoded") {
    Buffer echoed;
    CHECK_FALSE(error_of(with_header(NLMSG_ERROR, 0, {0xed, 0xff, 0xff, 0xff}), echoed));
    Buffer positive(20, 0);
    positive[0] = 1;
    CHECK_FALSE(error_of(with_header(NLMSG_ERROR, 0, positive), echoed));
    CHECK_FALSE(error_of(with_header(RTM_NEWADDR, 0, Buffer(20, 0)), echoed));
    Buffer smallest(20, 0);
    smallest[3] = 0x80; // INT_MIN has no positive twin
    CHECK_FALSE(error_of(with_header(NLMSG_ERROR, 0, smallest), echoed));
}

TEST_CASE("an error that claims a longer request than it holds gives what is there") {
    Buffer payload{0, 0, 0, 0};
    payload.insert(payload.end(), golden.begin(), golden.begin() + 16);
    payload[4] = 0xff;
    payload[7] = 0xff; // nlmsg_len near 4 GiB
    Buffer echoed;
    const auto reply = error_of(with_header(NLMSG_ERROR, NLM_F_ACK_TLVS, payload), echoed);
    REQUIRE(reply);
    CHECK(reply->number == 0);
    CHECK(echoed.size() == 16);
}

TEST_CASE("the end of a dump carries its error") {
    const auto done = [](const Buffer& payload) {
        int result = -1;
        for_each_message(with_header(NLMSG_DONE, NLM_F_MULTI, payload),
                         [&](const Message& message) { result = decode_done(message); });
        return result;
    };
    CHECK(done({0, 0, 0, 0}) == 0);
    CHECK(done({0xff, 0xff, 0xff, 0xff}) == EPERM);
    CHECK(done({}) == 0);
}
