/*
 * pollux.hpp as a C++ program uses it.  No framework: what does not hold is printed and counted.
 */
#include "pollux.hpp"

#include <cstdio>
#include <string>
#include <thread>
#include <vector>

namespace
{

int failures = 0;

void check(bool holds, const char *what, int line)
{
    if (holds)
        return;
    std::fprintf(stderr, "pollux_test.cpp:%d: %s\n", line, what);
    failures++;
}

#define CHECK(condition) check((condition), #condition, __LINE__)

void requests_and_answers()
{
    pollux::server server;

    server.route("GET /users/{id}", [](pollux::exchange exchange) {
        exchange.add_field("X-Method", exchange.method());
        exchange.respond_text(200, std::string(exchange.param("id").value_or("none")) + "+" +
                                       std::string(exchange.query_param("q").value_or("none")));
    });
    server.route_collected("POST /echo", [](pollux::exchange exchange) {
        exchange.respond(201, "text/x", std::string(exchange.content().value_or("none")));
    });
    server.route("GET /kinds/{kind}", [](pollux::exchange exchange) {
        std::string text = "a string";
        auto kind = exchange.param("kind").value_or("");

        if (kind == "literal")
            exchange.respond(200, "application/json", "{}");
        else if (kind == "view")
            exchange.respond(200, "text/x", std::string_view("a view"));
        else if (kind == "copied")
            exchange.respond(200, "text/x", text);
        else
            exchange.respond(200, "text/x", std::move(text));
    });
    CHECK(server.ask("GET /kinds/literal").content() == "{}");
    CHECK(server.ask("GET /kinds/view").content() == "a view");
    CHECK(server.ask("GET /kinds/copied").content() == "a string");
    CHECK(server.ask("GET /kinds/moved").content() == "a string");
    auto answer = server.ask("GET /users/a%20b?q=1");
    CHECK(answer.status() == 200);
    CHECK(answer.content() == "a b+1");
    CHECK(answer.field("x-method") == "GET");
    CHECK(!answer.field("x-none"));
    CHECK(server.ask("GET /users/7").content() == "7+none");
    auto echo = server.ask("POST /echo", std::string(100000, 'x'));
    CHECK(echo.status() == 201 && echo.content() == std::string(100000, 'x'));
    CHECK(server.ask("DELETE /echo").status() == 405);
    server.unroute("POST /echo");
    CHECK(server.ask("DELETE /echo").status() == 404);
    try {
        server.unroute("POST /echo");
        CHECK(false);
    } catch (const pollux::error &what) {
        CHECK(what.code() == PX_ERR_NOT_FOUND);
    }
}

void traces_and_name_servers()
{
    px_server_options options = PX_SERVER_OPTIONS_DEFAULT;

    options.trace_sample = 1;
    pollux::server server(options);

    server.route("GET /{$}", [](pollux::exchange exchange) {
        std::string text(exchange.parent_span_id().value_or("begins here"));

        CHECK(exchange.trace_id().size() == 32 && exchange.span_id().size() == 16);
        text += exchange.is_sampled() ? ", sampled" : ", not sampled";
        exchange.respond_text(200, text);
    });
    CHECK(server.ask("GET /").content() == "begins here, sampled");
    CHECK(server.ask("GET /\ntraceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")
              .content() == "b7ad6b7169203331, not sampled");
    pollux::loop loop;
    const char *const good[] = {"192.0.2.53"}, *const bad[] = {"resolver.test"};

    loop.set_name_servers(good);
    try {
        loop.set_name_servers(bad);
        CHECK(false);
    } catch (const pollux::error &what) {
        CHECK(what.code() == PX_ERR_INVALID);
    }
}

void certificates()
{
    if (!(px_features() & PX_FEATURE_TLS))
        return;
    pollux::tls first, next;

    first.add_self_signed("a.test");
    CHECK(!next.keep_self_signed("b.test", first));
    CHECK(next.keep_self_signed("a.test", first));
    next.take_tickets(first);
    CHECK(first.fingerprint().size() == 95 && first.fingerprint() == next.fingerprint(0));
    CHECK(first.fingerprint(1).empty());
    pollux::tls clone(first, nullptr);

    CHECK(clone.fingerprint() == first.fingerprint());
    clone.reload();
    try {
        clone.add_certificate("/nowhere/a.pem");
        CHECK(false);
    } catch (const pollux::error &what) {
        CHECK(what.code() == PX_ERR_NOT_FOUND);
    }
    pollux::server server;

    server.listen("127.0.0.1:0", clone);
    CHECK(server.address().starts_with("127.0.0.1:"));
}

struct counted {
    explicit counted(int *count) : count_(count)
    {
        ++*count_;
    }
    counted(const counted &other) : count_(other.count_)
    {
        ++*count_;
    }
    ~counted()
    {
        --*count_;
    }
    int *count_;
};

void captures_end_with_the_server()
{
    int alive = 0;
    {
        pollux::server server;

        server.route("GET /{$}", [kept = counted(&alive)](pollux::exchange exchange) {
            exchange.respond_text(200, "x");
        });
        server.use([kept = counted(&alive)](pollux::exchange) { return PX_NEXT; });
        CHECK(alive == 2);
        try { /* one that is there already */
            server.route("GET /{$}", [kept = counted(&alive)](pollux::exchange) {});
            CHECK(false);
        } catch (const pollux::error &error) {
            CHECK(error.code() == PX_ERR_CONFLICT);
            CHECK(std::string(error.what()).size() > 0);
        }
        CHECK(alive == 2);
        CHECK(server.ask("GET /").content() == "x");
    }
    CHECK(alive == 0);
}

void exceptions_are_answers()
{
    pollux::server server;
    int ended = 0;

    server.route("GET /throws", [&](pollux::exchange exchange) {
        exchange.at_end(
            [&ended](pollux::exchange, px_end, unsigned status) { ended += status == 500; });
        throw std::runtime_error("no");
    });
    server.use([](pollux::exchange exchange) {
        if (exchange.field("x-throw"))
            throw 7;
        if (exchange.field("x-stop")) {
            exchange.respond_error(403);
            return PX_STOP;
        }
        return PX_NEXT;
    });
    CHECK(server.ask("GET /throws").status() == 500);
    CHECK(ended == 1);
    CHECK(server.ask("GET /throws\nX-Throw: 1").status() == 500);
    CHECK(server.ask("GET /throws\nX-Stop: 1").status() == 403);
    try {
        server.listen("nonsense");
        CHECK(false);
    } catch (const pollux::error &error) {
        CHECK(error.code() == PX_ERR_INVALID);
    }
}

void later_and_from_other_threads()
{
    pollux::loop loop;
    px_server_options options = px_server_options_default();
    options.loop = loop.get();
    {
        pollux::server server(options);
        std::vector<std::thread> threads;
        std::unique_ptr<pollux::timer> timer;

        server.route("GET /thread", [&](pollux::exchange exchange) {
            threads.emplace_back([ref = pollux::ref(exchange)] {
                CHECK(ref.post([](pollux::exchange asked) { asked.respond_text(200, "thread"); }));
            });
        });
        server.route_collected("POST /held", [&](pollux::exchange exchange) {
            threads.emplace_back([held = pollux::held(exchange)] {
                std::string text =
                    std::string(held.content()) + std::string(held.field("x-a").value_or(""));
                CHECK(held.post([text](pollux::exchange asked) { asked.respond_text(200, text); }));
            });
        });
        server.route("GET /timer", [&](pollux::exchange exchange) {
            timer = std::make_unique<pollux::timer>(
                loop.get(), [exchange]() mutable { exchange.respond_text(200, "timer"); });
            timer->start(5);
        });
        server.route("PUT /collect", [](pollux::exchange exchange) {
            exchange.collect(100, [](pollux::exchange asked, std::string_view content) {
                asked.respond_text(200, content);
            });
        });
        CHECK(server.ask("GET /thread").content() == "thread");
        CHECK(server.ask("POST /held\nX-A: b", "content").content() == "contentb");
        CHECK(server.ask("GET /timer").content() == "timer");
        CHECK(server.ask("PUT /collect", "abc").content() == "abc");
        CHECK(server.ask("PUT /collect", std::string(101, 'x')).status() == 413);
        for (auto &thread : threads)
            thread.join();
    }
}

} // namespace

int main()
{
    requests_and_answers();
    captures_end_with_the_server();
    exceptions_are_answers();
    later_and_from_other_threads();
    traces_and_name_servers();
    certificates();
    std::printf("%d failures\n", failures);
    return failures ? 1 : 0;
}
