"""English as it is said. Every line of the table is one written text and its spoken form."""

from __future__ import annotations

import pytest

from antiphon.spoken.text import spoken

TABLE = """
numbers
0 | zero
7 | seven
I have 3 cats. | I have three cats.
21 | twenty-one
40 | forty
100 | one hundred
105 people | one hundred five people
999 | nine hundred ninety-nine
1,000 | one thousand
1,250 | one thousand two hundred fifty
12,345 | twelve thousand three hundred forty-five
1,000,000 | one million
2,500,017 | two million five hundred thousand seventeen
1000000 | one million
5,000,000,000 | five billion
3.14 | three point one four
0.5 | zero point five
.5 | point five
1,234.56 | one thousand two hundred thirty-four point five six
-5 | minus five
−5 | minus five
It is -12.5 now. | It is minus twelve point five now.
+5 | plus five
007 | zero zero seven
Room 007, please. | Room zero zero seven, please.
3 of 10 | three of ten
10-12 days | ten to twelve days
10–12 days | ten to twelve days
pages 3 - 5 | pages three - five
They won 2-1. | They won two to one.
The answer is 42. | The answer is forty-two.
(5) | (five)
version 3.11.7 | version three point eleven point seven
192.168.1.1 | one nine two dot one six eight dot one dot one
A 10,000-meter run | A ten thousand-meter run
99 bottles, 98 bottles | ninety-nine bottles, ninety-eight bottles
12345 | twelve thousand three hundred forty-five
ordinals
1st | first
2nd | second
3rd | third
4th | fourth
5th | fifth
8th | eighth
9th | ninth
11th | eleventh
12th | twelfth
20th | twentieth
21st | twenty-first
100th | one hundredth
the 42nd floor | the forty-second floor
1,000th | one thousandth
money
$5 | five dollars
$1 | one dollar
$1,250.50 | one thousand two hundred fifty dollars and fifty cents
Your total is $1,250.50. | Your total is one thousand two hundred fifty dollars and fifty cents.
$0.99 | ninety-nine cents
$0.01 | one cent
$1.01 | one dollar and one cent
$0 | zero dollars
$42.50 | forty-two dollars and fifty cents
$3.5 million | three point five million dollars
$2M | two million dollars
$10k | ten thousand dollars
-$5 | minus five dollars
$-5 | minus five dollars
€20 | twenty euros
20 € | twenty euros
20 EUR | twenty euros
£3.50 | three pounds and fifty pence
£1 | one pound
£0.01 | one penny
¥500 | five hundred yen
₩10,000 | ten thousand won
USD 20 | twenty US dollars
50¢ | fifty cents
$20/month | twenty dollars per month
$15/hr | fifteen dollars per hour
$5-$10 | five dollars to ten dollars
It costs $5. | It costs five dollars.
$3.999 | three point nine nine nine dollars
$1,000,000 | one million dollars
percent
10% | ten percent
0.5% | zero point five percent
-3% | minus three percent
100 % | one hundred percent
Up 12.5%. | Up twelve point five percent.
5-10% | five to ten percent
times
9:30 | nine thirty
at 9:30 AM | at nine thirty A M
3:05 pm | three oh five P M
3 p.m. | three P M.
Come at 3 p.m. tomorrow. | Come at three P M tomorrow.
Come at 3 p.m. We close at 5. | Come at three P M. We close at five.
3pm | three P M
10am-2pm | ten A M to two P M
9 a.m. to 5 p.m. today | nine A M to five P M today
12:00 | twelve o'clock
9:00 | nine o'clock
9:00 am | nine A M
15:30 | fifteen thirty
15:00 | fifteen hundred
0:00 | midnight
00:30 | twelve thirty A M
9:00-17:00 | nine o'clock to seventeen hundred
1:02:03 | one oh two and three seconds
We open at 8:15. | We open at eight fifteen.
25:00 | twenty-five:zero zero
dates
2026-05-12 | May twelfth, twenty twenty-six
2026-05-12T15:30:00Z | May twelfth, twenty twenty-six, at fifteen thirty
5/12/2026 | May twelfth, twenty twenty-six
05/12/26 | May twelfth, twenty twenty-six
25/12/2026 | December twenty-fifth, twenty twenty-six
12.05.2026 | May twelfth, twenty twenty-six
2026/05/12 | May twelfth, twenty twenty-six
Oct 3rd | October third
Oct. 3 | October third
October 3, 2026 | October third, twenty twenty-six
on May 5 at noon | on May fifth at noon
May 5-7 | May fifth to seventh
3 October 2026 | the third of October, twenty twenty-six
the 3rd of October | the third of October
Jan 1 | January first
Sept. 21st | September twenty-first
December 2025 | December twenty twenty-five
in 1984 | in nineteen eighty-four
in 2005 | in two thousand five
in 1905 | in nineteen oh five
in 1900 | in nineteen hundred
in 2000 | in two thousand
the 1990s | the nineteen nineties
the '80s | the eighties
Mon-Fri | Monday to Friday
Mon–Fri 9am–5pm | Monday to Friday nine A M to five P M
Tue, Oct 3 | Tuesday, October third
on 5/12 | on May twelfth
You may 5 times try. | You may five times try.
Born Feb 29, 2000. | Born February twenty-ninth, two thousand.
99/99/2026 | ninety-nine/ninety-nine/two thousand twenty-six
telephone
+14155552671 | plus one, four one five, five five five, two six seven one
+1 (415) 555-0100 | plus one, four one five, five five five, zero one zero zero
Call +1 (415) 555-0100. | Call plus one, four one five, five five five, zero one zero zero.
(415) 555-2671 | four one five, five five five, two six seven one
415-555-2671 | four one five, five five five, two six seven one
415.555.2671 | four one five, five five five, two six seven one
Please call us back on 555 0100. | Please call us back on five five five, zero one zero zero.
555-0100 | five five five, zero one zero zero
1-800-555-1212 | one, eight hundred, five five five, one two one two
1-800-FLOWERS | one, eight hundred, Flowers
+442079460958 | plus four four, two zero, seven nine four six, zero nine five eight
+82 10-1234-5678 | plus eight two, one zero, one two three four, five six seven eight
020 7946 0958 | zero two zero, seven nine four six, zero nine five eight
415-555-2671 ext. 12 | four one five, five five five, two six seven one, extension one two
4 1 5, 5 5 5, 2 6 7 1 | four one five, five five five, two six seven one
4155552671 | four one five, five five five, two six seven one
911 | nine hundred eleven
Dial 911 now | Dial nine one one now
codes
order 12345 | order one two three four five
Your code is 4821. | Your code is four eight two one.
account number 00123456 | account number zero zero one, two three four, five six
flight BA2490 | flight B A two four nine zero
A12 | A twelve
MP3 | M P three
4K | four K
B2B | B two B
flight UA123 from gate B12 | flight U A one two three from gate B twelve
in FY2026 | in F Y twenty twenty-six
apt 4B, 221B Baker St. | apt four B, two hundred twenty-one B Baker Street.
The code is 0042-77. | The code is zero zero four two, seventy-seven.
100s of them | hundreds of them
5' 10" tall | five foot ten tall
COVID-19 | COVID-nineteen
X7K9Q2 | X seven K nine Q two
#5 | number five
No. 5 | number five
4111 1111 1111 1111 | four one one one, one one one one, one one one one, one one one one
123-45-6789 | one two three, four five, six seven eight nine
8273645 | eight two seven, three six four five
addresses
jane.doe@example.co.uk | jane dot doe at example dot co dot u k
Write to info@example.com. | Write to info at example dot com.
j_smith+news@mail.example.org | j underscore smith plus news at mail dot example dot org
bob42@example.io | bob four two at example dot i o
www.example.com | w w w dot example dot com
https://example.com/help | example dot com slash help
https://www.example.com/a-b?x=1&y=2 | w w w dot example dot com slash a dash b
Visit example.com. | Visit example dot com.
example.com/pay, please | example dot com slash pay, please
http://localhost:8080 | localhost port eight zero eight zero
It ends.In this case | It ends.In this case
units
5 kg | five kilograms
1 kg | one kilogram
2.5kg | two point five kilograms
10 km | ten kilometers
60 mph | sixty miles per hour
100 km/h | one hundred kilometers per hour
20°C | twenty degrees Celsius
-5 °F | minus five degrees Fahrenheit
1° | one degree
90° | ninety degrees
16 GB | sixteen gigabytes
100 Mbps | one hundred megabits per second
5'10" | five foot ten
6 ft | six feet
500 ml | five hundred milliliters
30 min | thirty minutes
2 hrs | two hours
a 5-kg bag | a five kilogram bag
200 sq ft | two hundred square feet
3 lbs | three pounds
2x | two times
50 mg/day | fifty milligrams per day
2.4 GHz | two point four gigahertz
5k | five thousand
fractions
½ | one half
2½ hours | two and a half hours
¾ cup | three quarters cup
1/2 | one half
3/4 of it | three quarters of it
1 1/2 cups | one and a half cups
2/3 | two thirds
24/7 | twenty-four seven
abbreviations
Dr. Smith | Doctor Smith
Mr. Jones and Mrs. Jones | Mister Jones and Missus Jones
Ms. Lee | Miz Lee
Prof. Xavier | Professor Xavier
St. Louis | Saint Louis
Main St. | Main Street.
123 Main St. is here. | one hundred twenty-three Main Street is here.
12 Oak Dr., Springfield | twelve Oak Drive, Springfield
5th Ave | fifth Avenue
I live on Main St. in town. | I live on Main Street in town.
In St. Louis | In Saint Louis
e.g. apples | for example apples
i.e. now | that is now
apples, pears, etc. | apples, pears, et cetera.
cats vs. dogs | cats versus dogs
approx. 5 | approximately five
He has a Ph.D. | He has a P H D.
a Ph.D. in physics | a P H D in physics
the U.S. Army | the U S Army
the U.S. | the U S.
J. K. Rowling | J K Rowling
Apt. 4 | Apartment four
Smith Jr. | Smith Junior.
Acme Inc. is here | Acme Incorporated is here
Mt. Rainier | Mount Rainier
World War II | World War two
Chapter IV | Chapter four
No. It is not. | No. It is not.
signs
you & me | you and me
Q&A | Q and A
AT&T | AT and T
and/or | and or
he/she | he or she
TCP/IP | TCP IP
w/ milk | with milk
w/o milk | without milk
2 + 2 = 4 | two plus two equals four
3 × 4 | three times four
8 ÷ 2 | eight divided by two
~5 | about five
#winning | hashtag winning
meet @ noon | meet at noon
A → B | A, B
snake_case | snake case
markup
**bold** and # one | bold and # one
**bold** | bold
*it* is | it is
_it_ is | it is
`code` | code
~~gone~~ | gone
# Heading | Heading
[our site](https://example.com/x) is up | our site is up
Done ✅ 😀 | Done
hi😀there | hi there
👍🏽 ok | ok
<b>bold</b> text | bold text
a<br/>b | a, b
5 &amp; 6 | five and six
Tom &amp; Jerry | Tom and Jerry
**$5** | five dollars
- milk\\n- eggs | milk. eggs
1. One\\n2. Two | one. One. two. Two
Fish\\nand chips | Fish and chips
| a | b | | a, b,
unchanged
Hello there, how can I help you? | Hello there, how can I help you?
It's Jane's — really! | It's Jane's — really!
Wait... what? | Wait... what?
"Yes," she said. | "Yes," she said.
The cat sat (quietly) on the mat; it purred: loudly. | The cat sat (quietly) on the mat; it purred: loudly.
naïve café résumé | naïve café résumé
an may-december thing | an may-december thing
mon ami | mon ami
"""

CASES = [
    pytest.param(*line.replace("\\n", "\n").rsplit(" | ", 1), id=line[:40])
    for line in TABLE.splitlines()
    if " | " in line
]


@pytest.mark.parametrize(("written", "said"), CASES)
def test_as_it_is_said(written: str, said: str) -> None:
    assert spoken(written).text == said.strip()


def test_a_number_nobody_says_is_read_digit_by_digit() -> None:
    assert spoken("9" * 41).text == " ".join(["nine"] * 41)


def test_what_nobody_says_leaves_nothing() -> None:
    assert spoken("✅ **").text == ""
