// tests/test.h: the one way tests reach doctest.
//
// doctest's short CHECK collides with base/check.h, so the short names are off and the two
// that we use are named here. EXPECT carries on after a failure; REQUIRE ends the case.
#pragma once
#define DOCTEST_CONFIG_NO_SHORT_MACRO_NAMES
#include <doctest/doctest.h>
#define TEST_SUITE(name) DOCTEST_TEST_SUITE(name)
#define TEST_CASE(name) DOCTEST_TEST_CASE(name)
#define SUBCASE(name) DOCTEST_SUBCASE(name)
#define EXPECT(...) DOCTEST_CHECK(__VA_ARGS__)
#define REQUIRE(...) DOCTEST_REQUIRE(__VA_ARGS__)
