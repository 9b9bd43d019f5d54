#include "meta.hpp"

#include "awq/awq.hpp"
#include "check.hpp"

namespace {

using std::string_literals::operator""s;

std::string Verdict(const std::string& text) {
  try {
    awq::CheckMeta(text, 0);
    return "accept";
  } catch (const awq::Error& error) {
    return awq::Name(error.code());
  }
}

TEST(meta, "canonical objects of strings are accepted") {
  const std::string accepted[] = {
      R"({"a":"b"})",
      R"({"":""})",
      R"({"a":"","b":"x y"})",
      R"({"a":"/\"\\\b\f\n\r\t\u0000\u001f"})",
      "{\"a\":\"\x7f\"}",
      "{\"\xc3\xa9\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf\"}",
      "{\"a\":\"\xed\x9f\xbf\xee\x80\x80\"}",
      // RFC 8785, 3.2.3: U+1F600 is a surrogate pair and sorts before U+FB33.
      "{\"\xf0\x9f\x98\x80\":\"\",\"\xef\xac\xb3\":\"\"}",
      "{\"\xed\x9f\xbf\":\"\",\"\xf0\x9f\x98\x80\":\"\"}",
      R"({"\n":"","\r":"","1":"","a":"","aa":""})",
  };
  for (const std::string& text : accepted) CHECK_EQUAL(Verdict(text), "accept", text);
}

TEST(meta, "anything else is E_META") {
  const std::string rejected[] = {
      "",
      "{}",
      "[]",
      "null",
      R"("a")",
      R"({"a":"b"} )",
      R"( {"a":"b"})",
      R"({ "a":"b"})",
      R"({"a": "b"})",
      R"({"a" :"b"})",
      R"({"a":"b", "c":"d"})",
      R"({"a":"b",})",
      R"({"a":"b")",
      R"({"a":"b)",
      R"({"a":)",
      R"({"a")",
      R"({"a)",
      "{",
      R"({"a":"b"}{"a":"b"})",
      R"({"b":"","a":""})",
      R"({"a":"","a":""})",
      R"({"aa":"","a":""})",
      R"({"a":1})",
      R"({"a":1.5})",
      R"({"a":NaN})",
      R"({"a":true})",
      R"({"a":null})",
      R"({"a":{}})",
      R"({"a":{"b":"c"}})",
      R"({"a":["b"]})",
      R"({a:"b"})",
      R"({1:"b"})",
      R"({"a":"\/"})",
      R"({"a":"\u0041"})",
      R"({"a":"\u000A"})",
      R"({"a":"\u000a"})",
      R"({"a":"\u001F"})",
      R"({"a":"\u007f"})",
      R"({"a":"\ud83d\ude00"})",
      R"({"a":"\x41"})",
      R"({"a":"\)",
      R"({"a":"\u00)",
      "{\"a\":\"\n\"}",
      "{\"a\":\"\0\"}"s,
      "{\"a\":\"b\"}\0"s,
      "\xef\xbb\xbf{\"a\":\"b\"}",
      "{\"a\":\"\x80\"}",
      "{\"a\":\"\xc0\x80\"}",
      "{\"a\":\"\xc1\xbf\"}",
      "{\"a\":\"\xc3\"}",
      "{\"a\":\"\xe0\x9f\xbf\"}",
      "{\"a\":\"\xed\xa0\x80\"}",
      "{\"a\":\"\xe2\x82\"}",
      "{\"a\":\"\xf0\x8f\xbf\xbf\"}",
      "{\"a\":\"\xf4\x90\x80\x80\"}",
      "{\"a\":\"\xf5\x80\x80\x80\"}",
      "{\"a\":\"\xff\"}",
      "{\"\xef\xac\xb3\":\"\",\"\xf0\x9f\x98\x80\":\"\"}",
      "{\"\xee\x80\x80\":\"\",\"\xed\x9f\xbf\":\"\"}",
  };
  for (const std::string& text : rejected) CHECK_EQUAL(Verdict(text), "E_META", text);
}

TEST(meta, "a value is found by its key and comes back unescaped") {
  const std::string text = R"({"\n":"one","model.name":"a \"b\" \\ \u0001","z":""})";
  CHECK(awq::FindMeta(text, "\n") == "one", "escaped key");
  CHECK(awq::FindMeta(text, "model.name") == "a \"b\" \\ \x01", "escaped value");
  CHECK(awq::FindMeta(text, "z") == "", "empty value");
  CHECK(!awq::FindMeta(text, "y").has_value(), "no such key");
  CHECK(!awq::FindMeta("", "y").has_value(), "no META");
}

}  // namespace
