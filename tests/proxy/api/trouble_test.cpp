#include <catch2/catch.hpp>

#include "proxy/api/trouble.h"

namespace ipvsproxy::api {
namespace {

using namespace std::chrono_literals;

const Resource services{"services", "/api/v1/services"};
const Trouble refused{"API server", "connection refused", "is it running?"};
const Trouble rights{"services", "forbidden", "bind it"};

} // namespace

TEST_CASE("a trouble is told when it begins, and again at growing distances", "[api]") {
    Troubles troubles;
    const Moment begin{};
    std::vector<long> told;
    for (auto at = 0min; at < 300min; at += 1min)
        if (troubles.report("services", refused, begin + at)) told.push_back(at.count());
    CHECK(told == std::vector<long>{0, 1, 3, 7, 15, 31, 63, 123, 183, 243});
}

TEST_CASE("what several collections have in common is told once, and is over with the last",
          "[api]") {
    Troubles troubles;
    CHECK(troubles.report("services", refused, Moment{}));
    CHECK_FALSE(troubles.report("nodes", refused, Moment{} + 1s));
    CHECK(troubles.well("services").empty());
    CHECK(troubles.any());
    CHECK(troubles.well("nodes") == std::vector{refused});
    CHECK_FALSE(troubles.any());
    CHECK(troubles.well("nodes").empty());
    CHECK(troubles.report("nodes", refused, Moment{} + 2s)); // it has begun anew
}

TEST_CASE("another trouble takes the place of the one before", "[api]") {
    Troubles troubles;
    CHECK(troubles.report("services", refused, Moment{}));
    CHECK(troubles.report("services", rights, Moment{} + 1s));
    CHECK(troubles.well("services") == std::vector{rights});
}

TEST_CASE("a refused request says whose rights are missing and which role gives them", "[api]") {
    const auto trouble =
        trouble_of(services, 403, {403, "Forbidden", "User \"system:anonymous\" cannot list"});
    CHECK(trouble ==
          Trouble{"services", "HTTP status 403: User \"system:anonymous\" cannot list",
                  "let the user named list and watch services: bind it to the ClusterRole "
                  "system:node-proxier"});
}

TEST_CASE("who one is, and how the server fares, does not depend on what is asked for", "[api]") {
    const Status status{401, "Unauthorized", "Unauthorized"};
    for (const int code : {401, 429, 500, 503})
        CHECK(trouble_of(services, code, status) ==
              trouble_of({"nodes", "/api/v1/nodes"}, code, status));
    CHECK(trouble_of(services, 401, status).remedy.find("credentials") != std::string::npos);
}

TEST_CASE("an answer without a Status is told by its code", "[api]") {
    CHECK(trouble_of(services, 502, {}).cause == "HTTP status 502");
    CHECK(trouble_of(services, 418, {}).remedy.find("URL") != std::string::npos);
    CHECK(trouble_of(services, 429, {}).remedy.find("overloaded") != std::string::npos);
    CHECK(trouble_of(services, 404, {}).remedy.find("/api/v1/services") != std::string::npos);
}

} // namespace ipvsproxy::api
