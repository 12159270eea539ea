"""What every model's card says, whatever was measured."""

PUBLISHED = (
    ("EUvsDisinfo, CIKM 2024: linear SVM, same data set", "macro-F1 .74"),
    ("EUvsDisinfo, CIKM 2024: mBERT, same data set", "macro-F1 .79 to .83"),
    ("EUvsDisinfo, CIKM 2024: mBERT, across data sets", "macro-F1 .37 to .44"),
    ("Zhou et al., EACL 2021: logistic regression, random to unseen sites", ".775 to .672"),
    ("Zhou et al., EACL 2021: RoBERTa, random to unseen sites", ".969 to .804"),
    ("Baly et al., EMNLP 2020: political leaning, random to unseen outlets", ".798 to .368"),
)
"""What others report, to stand beside; other data and other labels, so no contest."""

INTENDED = """\
- Research on how states' media tell the news: triage of large collections, comparison of coverage, drift
  over time.
- A second opinion for editors and analysts who read the article too.
- Outlets rather than articles, wherever there are several articles of one: the label is about outlets.
- English news articles of 60 words and more, one at a time or in dumps."""

OUT_OF_SCOPE = """\
- **Deciding what is true.** The label says who controls the outlets that an article reads like. State
  media print true reports, and independent media print false ones.
- **Taking down, down-ranking or blocking** anything, or judging a person, because of a score.
- Texts that are no news articles (press releases, speeches, posts, opinion), other languages, machine
  translations.
- Naming the outlet, the state or the author of a text: names are masked, and it cannot.
- Texts written to deceive it: it counts words, and words can be chosen."""

ETHICS = """\
The label is about **control over the outlet**, taken from State Media Monitor's typology where it lists
the outlet, not from reading its articles. Public broadcasters with guarantees of independence are not
state media here and are held out of training as `mixed`. English written outside the West was long
mistaken for propaganda by models that had only Western papers to compare with; the rate at which that
happens to independent non-Western outlets is reported above and should be read before any use that
touches them. The model abstains where it cannot tell; do not force an answer where a person would be
harmed by a wrong one."""
