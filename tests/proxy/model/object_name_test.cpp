#include <catch2/catch.hpp>
#include <map>
#include <thread>
#include <vector>

#include "proxy/model/object_name.h"

using namespace ipvsproxy::model;

TEST_CASE("a shared text is the text it was made of, however it is passed on", "[model]") {
    const SharedText made = "service-00001";
    auto copy = made;
    const auto moved = std::move(copy);
    copy = made; // what was moved from can be filled again
    CHECK(made.view() == "service-00001");
    CHECK(moved == made);
    CHECK(copy == made);
    copy = SharedText{"other"};
    CHECK(copy.text() == "other");
    CHECK(made.view() == "service-00001"); // the others keep theirs
    auto& self = copy;
    copy = self;
    CHECK(copy == "other");
    CHECK(copy.view().data() != SharedText{"other"}.view().data());
    CHECK(moved.view().data() == made.view().data()); // one copy of the bytes
}

TEST_CASE("an empty shared text is empty, and any byte may stand in one", "[model]") {
    CHECK(SharedText{}.empty());
    CHECK(SharedText{}.view().empty());
    CHECK(SharedText{""} == SharedText{});
    const std::string bytes{"a\0b", 3};
    CHECK(SharedText{bytes}.text() == bytes);
    CHECK(SharedText{bytes} != SharedText{"a"});
}

TEST_CASE("shared texts are ordered as their bytes are", "[model]") {
    CHECK(SharedText{} < SharedText{"a"});
    CHECK(SharedText{"a"} < SharedText{"ab"});
    CHECK(SharedText{"web"} > SharedText{"api"});
    CHECK(SharedText{"\xc3"} > SharedText{"z"}); // bytes have no sign
}

TEST_CASE("names are ordered by namespace, then by name", "[model]") {
    CHECK(ObjectName{"a", "z"} < ObjectName{"b", "a"});
    CHECK(ObjectName{"a", "x"} < ObjectName{"a", "y"});
    CHECK(ObjectName{"a", "x"} < ObjectName{"a-b", "a"}); // not by "a/x" and "a-b/a"
    CHECK(ObjectName{"a", "x"} == ObjectName{Symbol{"a"}, std::string{"x"}});
    CHECK(ObjectName{"a", "x"}.text() == "a/x");
    CHECK(ObjectName{}.text() == "/");
}

TEST_CASE("copies of a shared text are made and dropped on several threads", "[model]") {
    const ObjectName name{"default", "a-name-that-two-threads-hold"};
    const auto work = [name] {
        std::map<int, ObjectName> held;
        for (int i = 0; i < 10'000; ++i)
            held.insert_or_assign(i % 16, name);
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
        threads.emplace_back(work);
    for (auto& thread : threads)
        thread.join();
    CHECK(name.text() == "default/a-name-that-two-threads-hold");
}
