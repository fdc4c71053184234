#pragma once
// Precompiled for every test program: what rooms have, and the test framework.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prefix.h"
