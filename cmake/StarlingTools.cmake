# How every folder of ours is built: warnings as errors, one precompiled header, ccache, a fast linker.

# Checkouts share what the cache has: no path of one gets into what is compiled, nor the time that its
# headers have. (But for clang: that its precompiled headers do name paths.)
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. "$<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>")
find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

find_program(MOLD mold)
find_program(LLD ld.lld)
if(MOLD)
  add_link_options(-fuse-ld=mold)
elseif(LLD)
  add_link_options(-fuse-ld=lld)
endif()
# Of an inline function that many files have, the linker takes the first: the libraries', optimised and
# with all checks of a sanitizer, not that of a test's own file. (These linkers need no order of archives.)
if(MOLD OR LLD)
  set(CMAKE_CXX_LINK_EXECUTABLE
      "<CMAKE_CXX_COMPILER> <FLAGS> <CMAKE_CXX_LINK_FLAGS> <LINK_FLAGS> <LINK_LIBRARIES> <OBJECTS> -o <TARGET>")
endif()

if(STARLING_SANITIZE)
  add_compile_options(-fsanitize=${STARLING_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${STARLING_SANITIZE})
endif()
# Which branches an input took is what libFuzzer goes by.
if(STARLING_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(STARLING_MUTANTS)
  add_compile_definitions(STARLING_MUTANTS)
endif()

# Seen by our own targets only: generated code and the libraries of others keep their warnings.
add_library(starling_flags INTERFACE)
target_compile_options(starling_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                       -Wnon-virtual-dtor)
# The sanitizers' instrumentation makes g++ 12 warn of fall-throughs and uses that are not there.
if(NOT (STARLING_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL GNU))
  target_compile_options(starling_flags INTERFACE -Werror)
endif()
# As g++ understands -Wconversion in C++.
target_compile_options(starling_flags INTERFACE $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>)
target_include_directories(starling_flags INTERFACE ${CMAKE_SOURCE_DIR})

# starling_library(NAME DEPS...): all .cc files beside the caller, linked to what it may include.
function(starling_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cc ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  add_library(${name} STATIC ${sources})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_link_libraries(${name} PUBLIC ${ARGN} PRIVATE starling_flags)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  starling_precompile(${name})
endfunction()

# STARLING_UNITE: ten files are compiled as one, since most of their time is for headers that they share:
# half of it is saved where all is built from nothing. So names of a file's own are to differ within
# a library or a test program.
function(starling_unite target)
  if(STARLING_UNITE)
    set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 10)
    # It takes a file's own namespace for a header's.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
  endif()
endfunction()

# Two precompiled headers for all, each made once: what nearly every file includes anyway, and for tests
# also what takes them longest to read.
file(WRITE ${CMAKE_BINARY_DIR}/precompiled.cc "")
function(starling_precompiled name)
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/precompiled.cc)
  target_link_libraries(${name} PRIVATE starling_flags fmt::fmt tl::expected)
  target_precompile_headers(${name} PRIVATE <algorithm> <cstdint> <map> <memory> <optional> <string>
                            <unordered_map> <vector> <fmt/core.h> <tl/expected.hpp> ${ARGN})
endfunction()

# A test's own files are many and run briefly: not optimised, they take half as long to compile, and what
# they call is the libraries' (above), so the simulator's seeds take an eighth longer and gossip's tests a
# tenth. Under UBSan they do without the three checks that make up most of its code, on each access through
# a pointer: a null pointer and a dead object are what AddressSanitizer finds too. What is tested has them all.
set(STARLING_TEST_OPTIONS -O0)
if(STARLING_SANITIZE MATCHES undefined)
  list(APPEND STARLING_TEST_OPTIONS -fno-sanitize=null,alignment,vptr)
endif()
starling_precompiled(starling_precompiled)
starling_precompiled(starling_precompiled_tests ${CMAKE_SOURCE_DIR}/tests/test.h <rapidcheck.h>)
target_link_libraries(starling_precompiled_tests PRIVATE doctest::doctest rapidcheck)
target_compile_options(starling_precompiled_tests PRIVATE ${STARLING_TEST_OPTIONS})

# Nor, under sanitizers, are command lines and what they print, which run briefly and whose options and
# JSON take long to compile: BRIEF, below.
if(STARLING_SANITIZE)
  starling_precompiled(starling_precompiled_tools)
  target_compile_options(starling_precompiled_tools PRIVATE -O0)
endif()

function(starling_precompile target)
  if(STARLING_SANITIZE AND "BRIEF" IN_LIST ARGN)
    target_precompile_headers(${target} REUSE_FROM starling_precompiled_tools)
    target_compile_options(${target} PRIVATE -O0)
  else()
    target_precompile_headers(${target} REUSE_FROM starling_precompiled)
  endif()
  target_link_libraries(${target} PRIVATE fmt::fmt tl::expected)
  starling_unite(${target})
endfunction()

function(starling_precompile_test target)
  target_precompile_headers(${target} REUSE_FROM starling_precompiled_tests)
  target_link_libraries(${target} PRIVATE fmt::fmt tl::expected rapidcheck)
  target_compile_options(${target} PRIVATE ${STARLING_TEST_OPTIONS})
  starling_unite(${target})
endfunction()

# What others wrote takes a third of the time to compile without a sanitizer's checks, which are for
# what we write. (ThreadSanitizer is to see all accesses, whoever makes them.)
function(starling_unchecked target)
  if(STARLING_SANITIZE MATCHES address)
    target_compile_options(${target} PRIVATE -fno-sanitize=all)
  endif()
  if(STARLING_FUZZ)  # Which fields a message has, libFuzzer is to see.
    target_compile_options(${target} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# starling_wire(NAME FILE.proto...): generated messages, seen as a system include by their path from
# the root, without our warnings. (protobuf_generate would name them by the caller's folder.)
function(starling_wire name)
  if(NOT ARGN)
    message(FATAL_ERROR "${name}: no .proto files")
  endif()
  set(generated)
  foreach(proto IN LISTS ARGN)
    file(RELATIVE_PATH stem ${CMAKE_SOURCE_DIR} ${proto})
    string(REGEX REPLACE "\\.proto$" "" stem ${CMAKE_BINARY_DIR}/${stem})
    add_custom_command(
      OUTPUT ${stem}.pb.cc ${stem}.pb.h
      COMMAND protobuf::protoc --cpp_out=${CMAKE_BINARY_DIR} -I ${CMAKE_SOURCE_DIR} ${proto}
      DEPENDS ${ARGN} protobuf::protoc
      VERBATIM)
    list(APPEND generated ${stem}.pb.cc ${stem}.pb.h)
  endforeach()
  add_library(${name} STATIC ${generated})
  starling_unchecked(${name})
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf)
  target_include_directories(${name} SYSTEM PUBLIC ${CMAKE_BINARY_DIR})
endfunction()

# starling_program(NAME SOURCES... ): an executable in build/bin, a main and little else; link what it
# needs afterwards.
function(starling_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE starling_flags)
  starling_precompile(${name} BRIEF)
endfunction()

# starling_test(NAME DEPS...): all *_test.cc files beside the caller as one doctest program; its
# label for ctest is sim or process if that is the folder's name, else unit.
function(starling_test name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${ARGN} starling_test_main starling_flags)
  starling_precompile_test(${name})
  add_test(NAME ${name} COMMAND ${name})
  get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  if(NOT folder MATCHES "^(sim|process)$")
    set(folder unit)
  endif()
  # Two processors: tests/run plays one of these where it plays two of processes, which wait.
  set_tests_properties(${name} PROPERTIES LABELS ${folder} PROCESSORS 2)
endfunction()
