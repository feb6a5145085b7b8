"""Words for reading names: those that are never part of one, those that can be, and what people say instead of a name."""

from __future__ import annotations

from antiphon.workflow.month_days import WEEKDAYS
from antiphon.workflow.words import Phrases


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NEVER = _words("""
the and or but if then that these those it it's its they we i'm i'd i'll i've me our is are am was were be been does did done can could
would should might must have has had got get going want need like make made take say said meant mean tell ask call calling called speak
speaking talk talking help wait no nope nah yes yep yup yeah yea ok okay sure correct wrong fine perfect here there now later today
tomorrow
yesterday afternoon evening noon midday midnight week weeks days time date number name appointment appointments booking cancel change
instead actually sorry rather please thanks thank for to at on of off from with by about under not what when where who whom which why how
much many any some all none nothing something anything someone somebody person human operator agent representative receptionist again
repeat
goodbye bye pm o'clock past quarter half next last first also too very really only maybe perhaps doing it'll that's there's what's
let's lets
down out over back line phone incorrect bad false different other another early better worse hold stop start minute moment second this
your yours mine hello hi hey um uh er erm hmm ah oh eh know well your yourself my's whose because until than through without between
hurts hurt pain sick don't doesn't didn't isn't aren't wasn't won't can't cannot couldn't wouldn't shouldn't haven't hasn't ain't never
hurry god goodness damn hell guess already misspelled spelled mispronounced spelt come comes coming came listen forget leave quick quickly
carefully habla idea ideas thing things stuff people world country city town house home car bus train food pizza water coffee tea money
price cost costs pay paid paying buy buying sell selling send sending give giving gave given keep keeping find finding found think
thinking
thought feel feeling felt believe hope hoping try trying tried use using used work working works worked look looking looks looked watch
watching listen listening hear hearing heard understand understood understanding remember remembering forgot forgotten learn teach show
showing open opening close closing closed move moving live living lives die dying kill eat eating drink drinking sleep sleeping walk
walking
run running sit sitting sits stand standing wear wearing bring bringing brought put puts putting set setting turn turning play playing
pick
picking drive driving fly flying sing singing dance swim cook cooking clean cleaning wash fix fixing break breaking broke broken cut
free full empty big small large tiny huge high low tall fast slow easy hard soft heavy light clear dark loud quiet safe true real
sick healthy alive dead married single main whole few several each every both either neither such own able ready possible impossible
available busy usually always often sometimes once twice ever again soon anyway however although though while during before after since
toward towards around across along among against inside outside above below behind beside between beyond near far away together apart
ahead
myself himself herself itself ourselves themselves anyone anybody anywhere everywhere nowhere somewhere somehow whatever whenever
whichever
english french spanish german polish language word words letter letters spell spelling pronounce question questions answer answers problem
problems trouble reason reasons case fact matter point part place side end beginning start finish middle top bottom kind sort type form
record records file files list system app website online internet text texting message messages voicemail telephone mobile cell
insurance patient patients medicine medication pill pills prescription blood tooth teeth head stomach leg arm knee throat fever cough
banana split potato tomato apple orange cheese bread chicken dog cat horse
thousand hundred million birthday married nobody nothing emergency hospital police ambulance lawyer manager boss supervisor owner
important private personal secret confidential serious joke joking kidding lying lie lies
her him his their them us ours hers theirs pardon huh whoops oops ouch wow gosh gee yikes eek duh
reception robot machine computer doctor's telling business mother father wife husband son daughter brother sister kid kids child
everything everybody everyone email address street road morning o same comma dash hyphen just useless stupid shut
""")
"""Never a name, whatever stands around them."""
ALSO_NAMES = _words("""
will may an a so do day good in young my grace he she you see long short book bill mark frank rose hope faith joy drew case charity king
wright wood banks june april august summer autumn winter dawn eve sunny sunday tuesday wednesday monday friday may june mark pat rich art
gene ray roy bob rob nick jack jean chase grant guy lance miles rusty sandy ginger ivy holly olive pearl ruby amber crystal star sky skye
storm rain river brook lake forest glen dale heath cliff stone clay reed reeve rain park field fields hill hills green brown black white
gray grey blue silver gold golden law lord prince duke earl baron bishop abbot pope cook baker butcher carter cooper fisher hunter miller
potter sawyer smith taylor turner weaver best strong sharp stern moody noble savage swift wise fry freeman love loving lovely darling
sweet
goody english french german scott welsh norman holland london paris austin dallas houston jordan chad israel china india kent boston
york church temple house hall rooms parish hand foot head heart bones legg beard bush rush rusk moon sun son sung sin sim song ko on
ho hu hung he you yu me mi min man wang woo wu xu yen yin ying yong yun bin ben bun chin chan cho choi chung de di dong gong gun ha han
hwang im in is jang jin jo joo ju jung kang ki kim ku kwon la le lee li lim lin long lou low ma mae mai mo moo mun na nam ng ngo nguyen
oh pak pan park phan pham poon quan quang ra ran ri rim roh ryu seo shin si so soo suh sun tan tang thi thu to tong tran tu vo vu way won
yang yeo yoo you van von der den ter ten das dos del della di da la le el al bin ibn ben bar mac mc st saint
major minor page porter price prior pride peacock parrot partridge sparrow swan wolf fox hare lamb bull bear badger finch crane drake
bird fish salmon pike herring bass ball bell bond bonds cash coin penny pound pounds money rich power powers marshall marshal sergeant
judge justice justus chance lucky luck little victor victory win winner wins early late day days knight night weekes week weeks read reading
write wright singer player dancer walker rider driver shepherd shepard farmer gardener forrester archer fletcher bowman hood
cross crossman christian pagan angel angels heaven paradise eden zion israel case casey books page story tale tales bliss blessing
peace charity patience prudence constance felicity honor honour mercy verity temperance comfort merry noel
""") | frozenset(WEEKDAYS)
"""Words of the language that are names, too: part of one where the rest is a name, or where it is introduced as one."""
GIVEN = _words("""
james john robert michael william david richard joseph thomas charles daniel matthew mark paul george peter kevin brian eric alan mary
patricia jennifer linda elizabeth barbara susan jessica sarah karen lisa nancy sandra ashley emily laura anna alice helen maria anthony
donald steven andrew joshua kenneth edward ronald timothy jason jeffrey ryan jacob gary nicholas jonathan stephen larry justin scott
brandon
benjamin samuel gregory alexander patrick frank raymond jack dennis jerry tyler aaron jose adam nathan henry zachary douglas kyle noah
ethan
jeremy walter christian keith roger terry austin sean gerald carl dylan harold jordan jesse bryan lawrence arthur gabriel bruce logan
billy
joe jon jonny johnny jim jimmy bob bobby rob tom tommy tim mike mick nick dan danny dave steve chris christopher alex sam ben matt ed
eddie
ted fred freddie harry charlie max leo oscar luke lucas liam oliver elijah theo theodore hugo felix ivan igor oleg boris ahmed ali omar
mohammed muhammad hassan ibrahim yusuf carlos juan luis pedro miguel jorge diego pablo fernando antonio marco luca giovanni hans klaus
lars sven erik pierre jean jacques francois louis michel betty margaret sandra donna carol ruth sharon michelle amanda melissa deborah
stephanie rebecca cynthia kathleen amy angela shirley brenda pamela emma nicole samantha katherine catherine kate katie kathy christine
debra rachel carolyn janet olivia sophia sophie isabella ava mia charlotte amelia evelyn abigail ella grace chloe lucy lily hannah zoe
zoey
julia julie victoria diana joan jane janice judy judith joyce gloria teresa theresa martha marie sara ann anne annie rose ruby lauren
megan
kim kelly heather holly molly polly sally peggy penny jenny jill tina tara tracy wendy yvonne yvette yolanda irene iris ingrid eva elena
olga nina natasha fatima aisha leila priya anil raj ravi sanjay wei ming mei yuki hiro kenji minh linh siobhan sinead niamh aoife sean
ken drew bill will frank faith hope joy may june april august dawn eve noah
""")
"""Common given names, as far as they tell a "so" that is a filler from one that is a name, and "it's mary" from "it's urgent"."""

_NO_NAME_STEMS = _words("""
urgent emergency important private confidential personal secret complicated difficult hard easy simple broken closed open busy free ready
late early new old wrong true real fake crazy mad insane stupid silly dumb dull ridiculous absurd nonsense rubbish terrible horrible awful
dreadful disgusting outrageous unbelievable unacceptable annoying boring great nice lovely good fine okay well ill unwell sick tired
exhausted
hungry thirsty cold hot warm wet angry upset sad happy glad afraid scared worried nervous anxious depressed lonely confused lost stuck
late
pregnant diabetic allergic blind deaf disabled retired married single divorced widowed unemployed drunk sober dead alive alone outside
inside
home away abroad downstairs upstairs nearby back german french english spanish italian polish turkish american british irish scottish
welsh
korean chinese japanese indian russian rude useless hopeless helpless pointless terrible pathetic fantastic amazing awesome brilliant
excellent wonderful beautiful funny strange weird odd normal usual possible impossible likely unlikely certain serious critical fatal
infected injured hurt bleeding burning aching sore swollen itchy dizzy fever feverish flu covid cough cold headache toothache pain painful
expensive cheap quick slow quiet loud noisy none nobody anonymous unknown patient customer caller client member student teacher nurse
enough everything nothing anything whatever please quite kind interested sure unsure aware available unavailable grateful thankful done
finished through soon possible impatient starving freezing furious disappointed frustrated embarrassed ashamed proud jealous bored shocked
surprised excited delighted pleased sorry welcome correct incorrect invalid illegal legal fair unfair safe dangerous normal trouble joke
scam mistake disgrace shame problem question complaint lie waste hell mess nightmare disaster robot bot moment mine yours his hers ours
theirs my your snowing raining
""")
_NO_NAME_ENDINGS = (
    "ing",
    "ful",
    "less",
    "ous",
    "able",
    "ible",
    "ical",
    "ally",
    "edly",
    "ingly",
    "iest",
    "ness",
    "tion",
    "ated",
    "ized",
    "ised",
)
_LOOKS_LIKE_A_WORD = _words("""
fleming browning manning channing harding golding keating hastings downing sterling king ming ling ring ying sing ting jing qing ping bing
xing rawling rowling cushing redding haring herring spalding fielding standing banning cumming darling dowling goering hemming loving
irving
ewing gable noble venable constable huxtable pickering waring gissing
""")


FAMILY = _words("""
kim lee park choi jung kang cho yoon jang lim han seo shin kwon hwang ahn yoo hong nguyen tran le pham wang li zhang chen liu yang huang
wu xu singh patel kaur khan smith jones brown taylor williams garcia martinez lopez gonzalez
""")
"""Common family names, as far as they tell a name whose other words are words of the language, too."""


def says_how_one_feels(word: str) -> bool:
    """Whether a word after "it's", "I'm", "this is" tells how something is rather than who somebody is."""
    if word in GIVEN or word in _LOOKS_LIKE_A_WORD:
        return False
    return word in _NO_NAME_STEMS or (len(word) > 5 and word.endswith(_NO_NAME_ENDINGS))


TITLES = frozenset(
    ("doctor", "dr", "mr", "mrs", "ms", "miss", "professor", "prof", "sir", "lady", "reverend", "father")
)
NOT_A_NAME = Phrases((
    "so what", "will do", "will you", "may i", "do you", "do i", "you are", "are you", "shut up", "an appointment", "good morning",
    "good afternoon", "good evening", "good night", "good day", "good grief", "good question", "my god", "my goodness", "in a minute",
    "so sorry", "see you", "bye bye", "you know", "none of", "go away", "love you", "my wife", "my husband", "my son", "my daughter",
    "my mother", "my father", "my name", "in fact", "no way", "long story", "on monday", "of course", "a person", "a human",
))  # fmt: skip
"""Said where a name was asked for, these are none."""
