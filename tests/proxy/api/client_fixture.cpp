#include "tests/proxy/api/client_fixture.h"

#include <memory>

namespace ipvsproxy::api_test {
namespace {

asio::awaitable<void> answer_each(https::Stream& stream,
                                  std::shared_ptr<std::vector<std::string>> left,
                                  std::vector<std::string>& requests) {
    for (;;) {
        std::string request = co_await https_test::read_request(stream);
        if (request.empty()) co_return;
        requests.push_back(std::move(request));
        const std::string text = left->front();
        if (left->size() > 1) left->erase(left->begin());
        if (text.empty()) co_return;
        co_await stream.write(text);
        if (text.find("Connection: close") != text.npos) co_return;
    }
}

asio::awaitable<void> read_all(api::Client& client, api::Request request, Read& out) {
    const auto answer = co_await client.send(std::move(request));
    out.status = answer->status();
    out.retry_after = answer->header("retry-after").value_or("");
    for (;;) {
        const auto piece = co_await answer->more();
        if (piece.empty()) break;
        out.body += piece;
    }
}

} // namespace

https_test::Server::Serve Fixture::answers(std::vector<std::string> each) {
    auto left = std::make_shared<std::vector<std::string>>(std::move(each));
    return [this, left](https::Stream& stream, int) { return answer_each(stream, left, requests); };
}

std::unique_ptr<api::Client> Fixture::client(const https_test::Server& server, api::Access access,
                                             const std::string& scheme) {
    access.server = https::parse_url(scheme + "://127.0.0.1:" + std::to_string(server.port()) +
                                     access.server.path)
                        .value();
    access.origin = "the test";
    return api::make_https_client(
        context.get_executor(), std::move(access),
        {.qps = -1, .user_agent = "ipvsproxy/test", .observer = &notes, .clock = &clock});
}

Read Fixture::ask(api::Client& client, api::Request request) {
    Read result;
    https_test::run(context, read_all(client, std::move(request), result));
    return result;
}

std::string answer(const std::string& status, const std::string& headers, const std::string& body) {
    return "HTTP/1.1 " + status + "\r\n" + headers +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string ok(const std::string& body) {
    return answer("200 OK", "", body);
}

} // namespace ipvsproxy::api_test
