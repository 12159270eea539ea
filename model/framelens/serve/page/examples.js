// Both written for this page; the places and people do not exist.
export const EXAMPLES = [
  {
    title: "Canal opens a new chapter for the Brondal valley",
    text: `The Ministry of Water on Tuesday hailed the completion of the Brondal canal, a landmark achievement that officials said will uplift rural livelihoods and accelerate modernisation across the province.

Addressing guests at the inauguration ceremony, Minister Olum Karsta stressed the importance of unity and extended his gratitude to the leadership for its unwavering commitment to the people. He underscored that friendly cooperation with neighbouring nations would be deepened further on the basis of mutual respect and sovereignty.

"The canal is a testimony to what our people can achieve together under wise leadership," the minister noted, adding that the two sides will continue to promote development, peace and stability in the region.

The ceremony was attended by delegations from three districts. Participants expressed their firm support for the national development plan and vowed to make new contributions to the prosperity of the nation.`,
  },
  {
    title: "Twice the price, and still no water",
    text: `The Brondal canal has cost almost twice what it was supposed to, according to documents seen by this reporter, and auditors say they still don't know where the money went.

Farmers in the north of the valley said the ditches had been dry for months. "We were told the water would come in spring," said Ada Quill, who grows onions near the river. "It never did." Another farmer, who asked not to be named because he feared losing his lease, said he had stopped asking.

A spokeswoman for the ministry declined to comment. Its own engineers had warned in March that two of the locks were leaking, emails show, but the opening went ahead in front of the cameras anyway.

Opposition lawmakers have called for an investigation, though it is unclear whether parliament will take it up before the election in June. Critics accuse the minister's brother-in-law of owning the firm that won the contract, a claim his lawyer denied.`,
  },
];
