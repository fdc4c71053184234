#pragma once
// A function to know each kind by, and one to read it.

#include "import/kind.h"

namespace assay {

#define ASSAY_KIND(Name)                       \
  bool Fits##Name(const ImportSource& source); \
  void Read##Name(const ImportSource& source, const KindOptions& options, ImportSink& sink)

ASSAY_KIND(TaskLines);
ASSAY_KIND(Inspect);
ASSAY_KIND(LmEval);
ASSAY_KIND(Promptfoo);
ASSAY_KIND(Bfcl);
ASSAY_KIND(HumanEval);
ASSAY_KIND(IfEval);
ASSAY_KIND(LostInTheMiddle);
ASSAY_KIND(MultipleChoice);
ASSAY_KIND(Gsm8k);
ASSAY_KIND(FineTuning);
ASSAY_KIND(ShareGpt);
ASSAY_KIND(Alpaca);
ASSAY_KIND(OpenAiEvals);
ASSAY_KIND(Table);

#undef ASSAY_KIND

}  // namespace assay
